"""A work horse that dies anywhere: nothing is lost, nothing is doubled. Forked here, so that a test can say where."""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.pms import tokens
from app.pms.gentu.adapter import GentuAdapter
from app.store import appointments, removals, sync_runs
from app.sync.context import SyncContext
from app.sync.mapper import DataMapper
from app.sync.run import Runner
from tests.jobs.living import Practice
from tests.sandbox.process import RunningSandbox

#: How often each failpoint is tried; the printed table names it.
TRIALS = int(os.environ.get("RUNSHEET_TRIALS", "1"))


@pytest.fixture
def practice(living: Callable[..., Practice], small_clinic: RunningSandbox) -> Practice:
    made = living(small_clinic)
    made.only_when_pressed()
    return made


class Failpoint:
    """SIGKILL on the process that passes here for the n-th time; once, remembered over processes by a file."""

    def __init__(self, folder: Path, nth: int = 1) -> None:
        self._flag = folder / "killed"
        self._left = nth
        self._lock = threading.Lock()

    def __call__(self) -> None:
        with self._lock:
            self._left -= 1
            if self._left == 0 and not self._flag.exists():
                self._flag.touch()
                os.kill(os.getpid(), signal.SIGKILL)


def before(owner: object, name: str, nth: int = 1) -> Callable[[pytest.MonkeyPatch, Path], None]:
    def install(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        original, point = getattr(owner, name), Failpoint(folder, nth)
        monkeypatch.setattr(owner, name, lambda *args, **more: (point(), original(*args, **more))[1])

    return install


def after(owner: object, name: str, nth: int = 1) -> Callable[[pytest.MonkeyPatch, Path], None]:
    def install(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        original, point = getattr(owner, name), Failpoint(folder, nth)
        monkeypatch.setattr(owner, name, lambda *args, **more: (original(*args, **more), point())[0])

    return install


def after_a_fetched_page(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    original, point = GentuAdapter.appointments, Failpoint(folder, 2)

    def fetched(self: GentuAdapter, *args: Any) -> Iterator[Any]:
        for page in original(self, *args):
            point()
            yield page

    monkeypatch.setattr(GentuAdapter, "appointments", fetched)


FAILPOINTS = {
    "claim": before(Runner, "execute"),
    "auth": before(tokens.TokenManager, "_minted"),
    "fetch": after_a_fetched_page,
    "map": before(DataMapper, "to_row", nth=105),
    "upsert": after(appointments, "write_page", nth=2),
    "checkpoint": after(SyncContext, "write", nth=2),
    "reconcile": before(removals, "remove"),
    "log": before(sync_runs, "finish"),
}


@pytest.mark.timeout(150 + 30 * TRIALS)
@pytest.mark.fault("F55")
@pytest.mark.promise("P17")
@pytest.mark.parametrize("point", FAILPOINTS)
def test_a_horse_killed_anywhere_loses_nothing_and_doubles_nothing(
    practice: Practice,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
    point: str,
) -> None:
    """Its run is abandoned at once, its successor takes up the checkpoint: no waiting for the lease."""
    monkeypatch.setattr(tokens, "LEASE_S", 0.5)
    practice.books(130, every_minutes=1)
    for trial in range(TRIALS):
        folder = tmp_path / str(trial)
        folder.mkdir()
        if point == "auth":
            practice.forgets_its_token()
        if point == "reconcile":
            practice.presses(begins_anew=True)
            practice.works()
            practice.unbooks(practice.truth()[0])
        with monkeypatch.context() as broken:
            FAILPOINTS[point](broken, folder)
            practice.presses(begins_anew=True)
            practice.works()
        assert (folder / "killed").exists(), "the failpoint was not passed"
        record_property("chaos", (point, practice.damage()))  # whatever is asserted below
        lost, successor = practice.runs()[-2:]
        assert [(lost.state, lost.reason), (successor.state, successor.reason)] == [
            ("abandoned", "lost"),
            ("success", None),
        ]
        assert (successor.attempt, successor.retry_of) == (2, lost.id)
        assert lost.completed_at - lost.heartbeat_at < sync_runs.LEASE
        practice.stands_as_in_the_pms()
        practice.forgets_its_rows()


def test_a_horse_killed_after_the_run_was_closed_changes_nothing(
    practice: Practice, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    practice.books(3)
    before(Runner, "_told")(monkeypatch, tmp_path)
    practice.presses()
    practice.works()
    assert (tmp_path / "killed").exists()
    assert practice.states() == [("success", None)]
    practice.stands_as_in_the_pms()


@pytest.mark.promise("P3")
def test_the_successor_goes_on_from_the_checkpoint(
    practice: Practice, small_clinic: RunningSandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Where the PMS still honours the cursor: what was committed is not read again."""
    small_clinic.control("knobs", cursor_uses=0)
    practice.books(450, every_minutes=1)
    after(SyncContext, "write", nth=7)(monkeypatch, tmp_path)  # some of five pages are committed
    practice.presses()
    practice.works()
    assert practice.states() == [("abandoned", "lost"), ("success", None)]
    asked = [(query.partition("&")[0], "cursor=" in query) for query in practice.pages_asked_for()]
    ((long_chain, pages),) = Counter(who for who, _ in asked).most_common(1)
    assert asked.count((long_chain, False)) == 1  # it was not begun anew
    assert 5 <= pages <= 5 + 2  # what was under way when the kill came is read again
    practice.stands_as_in_the_pms()
