"""Writers take turns, over threads and processes; a transaction leaves all or nothing and is repeated where it must."""

from __future__ import annotations

import multiprocessing
import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import create_engine, select, update
from sqlalchemy.exc import IntegrityError, OperationalError

from app import clock
from app.store import connections, sync_runs
from app.store.db import Store, engine_options, prepare
from app.store.models import PmsConnection, Practice
from app.store.models.sync import RunState, Trigger
from app.store.sync_runs import Answer
from tests.fakes.house import House, furnish
from tests.fakes.pms import TODAY
from tests.store.asking import ask, run_row

R, T = RunState, Trigger


# --- at the same moment -----------------------------------------------------------------------------------------------


def test_many_threads_claim_and_one_wins(house: House) -> None:
    run_id = ask(house).run_id
    with ThreadPoolExecutor(8) as pool:
        won = [claim for claim in pool.map(lambda pid: house.claim(run_id, "here", pid), range(8)) if claim]
    assert len(won) == 1
    assert house.connection().fence == won[0].fence


def test_many_ask_at_once_and_one_run_answers_them_all(house: House) -> None:
    def press(days: int) -> Answer:
        work = house.ask(TODAY, TODAY + timedelta(days=days), trigger=T.MANUAL)
        return house.store.transact(lambda session: sync_runs.request(session, work, clock.now()))

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(press, range(8)))
    assert len({answer.run_id for answer in answers}) == 1
    assert sorted(answer.joined for answer in answers) == [False] + [True] * 7
    assert house.run(answers[0].run_id).window_to == TODAY + timedelta(days=7)


def _opened(url: str) -> Store:
    engine = create_engine(url, **engine_options(url))
    prepare(engine)
    return Store(engine)


def race(url: str, run_ids: list[UUID], barrier: Any, told: Any) -> None:
    """In a process of its own: try to claim every run, in this order."""
    store = _opened(url)
    barrier.wait(30)
    won = []
    for run_id in run_ids:
        claim = store.transact(
            lambda session, run_id=run_id: sync_runs.claim(session, run_id, clock.now(), "here", os.getpid())
        )
        if claim is not None:
            won.append(run_id)
    told.put(won)
    store.engine.dispose()


def test_processes_claim_and_each_run_has_one_holder(house: House) -> None:
    run_ids = []
    for number in range(6):
        house.practice_id, house.connection_id, _ = furnish(house.store, f"P {number}")
        run_ids.append(ask(house).run_id)
    context = multiprocessing.get_context("fork")
    barrier, told = context.Barrier(3), context.Queue()
    url = house.store.engine.url.render_as_string(hide_password=False)
    processes = [context.Process(target=race, args=(url, run_ids, barrier, told)) for _ in range(3)]
    for process in processes:
        process.start()
    won = Counter(run_id for _ in processes for run_id in told.get(timeout=60))
    for process in processes:
        process.join(30)
    assert won == Counter(run_ids)


def count_up(url: str, times: int, barrier: Any) -> None:
    """In a process of its own: read and write again, which loses a count wherever two are inside at once."""
    store = _opened(url)
    barrier.wait(30)
    for _ in range(times):
        with store.write() as session:
            connection = session.execute(select(PmsConnection).with_for_update()).scalars().one()
            session.execute(
                update(PmsConnection).where(PmsConnection.id == connection.id).values(failures=connection.failures + 1)
            )
    store.engine.dispose()


def test_writers_of_several_processes_take_turns(house: House) -> None:
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(3)
    url = house.store.engine.url.render_as_string(hide_password=False)
    processes = [context.Process(target=count_up, args=(url, 40, barrier)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert house.connection().failures == 120


def test_a_write_inside_a_write_is_a_mistake_and_says_so(house: House) -> None:
    if house.store.dialect != "sqlite":
        pytest.skip("only a SQLite file has a write lock")
    with house.store.write(), pytest.raises(RuntimeError, match="already open"), house.store.write():
        pass
    with house.store.write() as session:
        assert session.scalars(select(Practice)).all()


def test_a_transaction_that_fails_leaves_nothing_and_frees_the_lock(house: House) -> None:
    with pytest.raises(ZeroDivisionError), house.store.write() as session:
        connections.get(session, house.connection_id).failures = 9
        session.flush()
        raise ZeroDivisionError
    assert house.connection().failures == 0
    with house.store.write() as session:
        connections.get(session, house.connection_id).failures = 1
    assert house.connection().failures == 1


@pytest.mark.parametrize(("failures", "ends"), [(2, "done"), (3, "raises")])
def test_a_transaction_is_tried_three_times_where_the_database_asks_for_it(
    house: House, failures: int, ends: str
) -> None:
    tried = []

    class Deadlock(Exception):
        sqlstate = "40P01"

    def work(session: Any) -> str:
        tried.append(1)
        connections.get(session, house.connection_id).failures += 1
        session.flush()
        if len(tried) <= failures:
            raise OperationalError("UPDATE", {}, Deadlock())
        return "done"

    if ends == "done":
        assert house.store.transact(work) == "done"
        assert house.connection().failures == 1, "nothing of the earlier attempts is left"
    else:
        with pytest.raises(OperationalError):
            house.store.transact(work)
        assert house.connection().failures == 0
    assert len(tried) == 3
    assert len(house.clock.slept) == 2


def test_an_error_that_is_nobodys_bad_luck_is_not_tried_again(house: House) -> None:
    tried = []

    def work(session: Any) -> None:
        tried.append(1)
        session.add(run_row(house, state="nonsense"))

    with pytest.raises(IntegrityError):
        house.store.transact(work)
    assert len(tried) == 1
