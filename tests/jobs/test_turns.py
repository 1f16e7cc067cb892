"""P21: a practice with a backlog delays nobody else's single run by more than a job that is running already."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

import pytest
from redis import Redis
from sqlalchemy import update

from app.domain.turns import MOST_QUEUED, MOST_RUNNING
from app.jobs import dispatch, queues
from app.store import sync_runs
from app.store.models import SyncSchedule
from app.store.models.sync import RunState, Trigger
from app.store.sync_runs import Ask, Claim
from tests.jobs.clinics import Clinics

#: How many connections of one practice come due at once; the printed table names it.
BACKLOG = int(os.environ.get("RUNSHEET_BACKLOG", "56"))


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    with Redis.from_url(redis_url) as connection:
        yield connection


class Hands:
    """Workers as far as turns go: they take jobs in the order ours do, claim, and end what they claimed."""

    def __init__(self, clinics: Clinics, redis: Redis) -> None:
        self.clinics, self.redis = clinics, redis
        self.at_work: list[Claim] = []
        self.began: list[UUID] = []  # practices, in the order their runs began

    def take(self) -> Claim | None:
        """What RQ does: the first job of the first queue that has one."""
        for name in queues.ALL:
            found = self.redis.lpop(queues.queue(name, self.redis).key)
            if found is not None:
                job = queues.JsonJob.fetch(found.decode(), connection=self.redis)
                claim = self.claim(UUID(job.args[0]))
                job.delete()
                return claim
        return None

    def claim(self, run_id: UUID) -> Claim | None:
        claim = self.clinics.store.transact(
            lambda session: sync_runs.claim(session, run_id, self.clinics.now, "here", 1)
        )
        if claim is not None:
            self.at_work.append(claim)
            self.began.append(claim.practice_id)
        return claim

    def end(self) -> None:
        """The oldest one ends, and makes way."""
        claim = self.at_work.pop(0)
        with self.clinics.store.write() as session:
            sync_runs.finish(session, claim, self.clinics.now, RunState.SUCCESS, None)
        dispatch.nudge_next(self.clinics.store, self.redis, claim.run_id, timeout_s=60)

    def tick(self) -> None:
        dispatch.tick(self.clinics.store, self.redis, timeout_s=60)


@pytest.fixture
def hands(clinics: Clinics, redis: Redis) -> Hands:
    return Hands(clinics, redis)


def comes_due(clinics: Clinics, practice_id: UUID) -> None:
    """The interval of each of its connections, once."""
    with clinics.store.write() as session:
        session.execute(
            update(SyncSchedule)
            .where(SyncSchedule.practice_id == practice_id, SyncSchedule.kind == "interval")
            .values(enabled=True, next_due_at=clinics.now)
        )


def waits(redis: Redis) -> dict[str, int]:
    return {name: len(queues.queue(name, redis).job_ids) for name in (queues.SYNC, queues.SPARE)}


@pytest.mark.promise("P21")
def test_a_practice_with_a_backlog_has_two_running_fifty_waiting_and_everything_done_in_the_end(
    clinics: Clinics, hands: Hands
) -> None:
    big, _ = clinics.opens("Big", connected=BACKLOG)
    small, _ = clinics.opens("Small")
    comes_due(clinics, big)
    hands.tick()
    assert waits(hands.redis) == {queues.SYNC: 1, queues.SPARE: 1}  # the rest waits in the database
    assert Counter(run.state for run in clinics.runs()) == {RunState.QUEUED: MOST_QUEUED}
    assert hands.take() is not None  # one worker, and it is busy when the other practice's run comes due
    comes_due(clinics, small)
    hands.tick()
    hands.end()
    taken = hands.take()
    assert taken is not None
    assert taken.practice_id == small  # before the fifty that were there long before
    most = 0
    while True:
        while len(hands.at_work) < 4 and hands.take() is not None:
            running = Counter(claim.practice_id for claim in hands.at_work)
            most = max(most, running[big])
        if hands.at_work:
            hands.end()
        elif not any(dispatch.tick(clinics.store, hands.redis, timeout_s=60).values()):
            break  # nobody works, nothing waits, nothing is due
    assert most == MOST_RUNNING
    # Each connection once; those that found no room at first came due all the same, a little later.
    done = Counter(run.pms_connection_id for run in clinics.runs() if run.practice_id == big)
    assert len(done) == BACKLOG
    assert set(done.values()) == {1}
    assert {run.state for run in clinics.runs()} == {RunState.SUCCESS}


@pytest.mark.promise("P21")
def test_no_two_claimers_take_a_practices_last_place_and_a_person_is_not_held_up(
    clinics: Clinics, hands: Hands
) -> None:
    big, _ = clinics.opens("Big", connected=4)
    comes_due(clinics, big)
    dispatch.dispatch_due(clinics.store)
    runs = clinics.runs()
    assert [hands.claim(run.id) is not None for run in runs] == [True, True, False, False]
    left = runs[3]
    press = Ask(big, left.pms_connection_id, tuple(left.phases), left.window_from, left.window_to, Trigger.MANUAL)
    answer, nudged = dispatch.sync_now(clinics.store, hands.redis, press, timeout_s=60)
    assert (answer.run_id, nudged) == (left.id, True)
    taken = hands.take()
    assert taken is not None
    assert taken.run_id == left.id
    assert hands.claim(runs[2].id) is None


def test_a_run_in_the_second_lane_moves_up_when_the_first_has_ended(clinics: Clinics, hands: Hands) -> None:
    big, _ = clinics.opens("Big", connected=3)
    comes_due(clinics, big)
    hands.tick()
    second = queues.queue(queues.SPARE, hands.redis).job_ids
    assert hands.take() is not None
    hands.end()
    assert queues.queue(queues.SYNC, hands.redis).job_ids == second
    assert len(queues.queue(queues.SPARE, hands.redis).job_ids) == 1


def test_a_run_that_waits_behind_another_of_its_connection_takes_nobodys_turn(clinics: Clinics, hands: Hands) -> None:
    big, _ = clinics.opens("Big", connected=2)
    comes_due(clinics, big)
    dispatch.dispatch_due(clinics.store)
    first, other = clinics.runs()
    assert hands.claim(first.id) is not None
    again = Ask(
        big, first.pms_connection_id, ("inbound",), first.window_from - timedelta(days=3), first.window_to,
        Trigger.SCHEDULE,
    )  # fmt: skip
    with clinics.store.write() as session:
        assert sync_runs.request(session, again, clinics.now - timedelta(hours=1)).joined is False
    hands.tick()
    assert queues.queue(queues.SPARE, hands.redis).job_ids == [queues.job_id(other.id)]
    assert queues.queue(queues.SYNC, hands.redis).job_ids == []
