"""The supervisor: says who said what, restarts what dies, and leaves nothing behind, however it ends itself."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from app.jobs import lifeline, supervisor
from app.jobs.supervisor import Child, Spec, Supervisor
from tests.jobs.processes import ROOT, eventually, is_alive

TALKS = "print('hello', flush=True); import time; time.sleep(60)"
#: A child as ours are: it holds its lifeline.
HOLDS = "from app.jobs import lifeline; lifeline.hold(); print('held', flush=True); import time; time.sleep(60)"
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"


def python(script: str) -> list[str]:
    return [sys.executable, "-c", script]


@contextmanager
def supervised() -> Iterator[tuple[Supervisor, io.StringIO]]:
    out = io.StringIO()
    with Supervisor(out) as made:
        yield made, out


def looked_after(made: Supervisor, true: object) -> None:
    assert callable(true)

    def look() -> object:
        made.look_after()
        return true()

    eventually(look, "what the supervisor looks after")


def test_every_line_tells_who_said_it() -> None:
    with supervised() as (made, out):
        made.start(Spec("worker 1", python("import sys; print('out'); print('err', file=sys.stderr)")))
        eventually(lambda: out.getvalue().count("\n") >= 2, "two lines")
    assert sorted(out.getvalue().splitlines()) == ["worker 1   | err", "worker 1   | out"]


def test_what_dies_is_started_again_ever_more_slowly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "_FIRST_PAUSE_S", 0.05)
    starts: list[float] = []
    with supervised() as (made, out):
        child = Child(Spec("poor", python("raise SystemExit(7)")), made.say)
        start = child.start
        child.start = lambda: (starts.append(time.monotonic()), start())[1]  # type: ignore[method-assign]
        made.children.append(child)
        child.start()
        looked_after(made, lambda: len(starts) == 4)
    pauses = [later - earlier for earlier, later in pairwise(starts)]
    assert [pause > least for pause, least in zip(pauses, (0.05, 0.1, 0.2), strict=True)] == [True] * 3
    assert out.getvalue().splitlines()[0] == "supervisor | poor ended (exit code 7); starting it again"


def test_pauses_grow_to_a_bound_and_shrink_again_after_a_good_start(monkeypatch: pytest.MonkeyPatch) -> None:
    child = Child(Spec("poor", python("pass")), lambda *_: None)
    now = [0.0]
    monkeypatch.setattr(supervisor.time, "monotonic", lambda: now[0])
    paused: list[float] = []
    for lived in [1.0] * 8 + [31.0]:
        child.start()
        assert child._process is not None
        child._process.wait()
        now[0] += lived
        child.look_after()
        paused.append(child._retry_at - now[0])
        child._retry_at = 0.0
    assert paused == [0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 15.0, 15.0, 0.5]


def test_a_killed_child_is_named_by_its_signal() -> None:
    with supervised() as (made, out):
        child = made.start(Spec("web", python(TALKS)))
        eventually(lambda: "hello" in out.getvalue(), "it talks")
        os.kill(child.pid or 0, signal.SIGKILL)
        looked_after(made, lambda: "web ended (SIGKILL)" in out.getvalue())
        looked_after(made, lambda: out.getvalue().count("hello") == 2)


def test_a_child_that_cannot_be_started_again_is_tried_later(monkeypatch: pytest.MonkeyPatch) -> None:
    with supervised() as (made, out):
        child = made.start(Spec("web", python("pass")))
        eventually(lambda: child.pid is None, "it has ended")
        monkeypatch.setattr(supervisor.subprocess, "Popen", lambda *_, **__: (_ for _ in ()).throw(BlockingIOError()))
        looked_after(made, lambda: "could not be started (BlockingIOError)" in out.getvalue())


def test_the_last_to_stop_is_what_the_others_lean_on(tmp_path: Path) -> None:
    told = tmp_path / "ended"
    script = (
        "import pathlib, signal, sys, time\n"
        "def end(*_):\n"
        f"    pathlib.Path({str(told)!r}).open('a').write(sys.argv[1] + '\\n')\n"
        "    sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, end)\n"
        "print('ready', flush=True)\n"
        "time.sleep(60)\n"
    )
    with supervised() as (made, out):
        for stage, name in enumerate(("redis", "simulator", "worker", "web")):
            made.start(Spec(name, [*python(script), name], stage=min(stage, 2)))
        eventually(lambda: out.getvalue().count("ready") == 4, "all are up")
    ended = told.read_text().split()
    assert sorted(ended[:2]) == ["web", "worker"]
    assert ended[2:] == ["simulator", "redis"]


def test_a_child_that_does_not_listen_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "_STOP_S", 0.3)
    with supervised() as (made, out):
        child = made.start(Spec("deaf", python(DEAF)))
        eventually(lambda: "| deaf" in out.getvalue(), "it is up")
        pid = child.pid
    assert pid is not None
    assert not is_alive(pid)
    assert "deaf did not stop in time and is killed" in out.getvalue()


def test_what_a_child_left_running_ends_when_the_child_is_replaced() -> None:
    """A work horse whose worker was killed holds the lifeline as well."""
    script = (
        "import os, time\n"
        "from app.jobs import lifeline\n"
        "who = 'worker' if os.fork() else 'horse'\n"
        "lifeline.hold(lifeline.end_now)\n"
        "os.write(1, f'{who} {os.getpid()}\\n'.encode())\n"  # in one piece: both write to one pipe
        "time.sleep(60)\n"
    )
    with supervised() as (made, out):
        child = made.start(Spec("worker", python(script)))
        eventually(lambda: "| horse" in out.getvalue() and "| worker" in out.getvalue(), "both are up")
        horse = int(next(line for line in out.getvalue().splitlines() if "horse" in line).split()[-1])
        os.kill(child.pid or 0, signal.SIGKILL)
        looked_after(made, lambda: not is_alive(horse))


def test_nobody_reading_any_more_stops_nothing() -> None:
    """`make run | head`: a child whose lines nobody takes would block, and with it everything that waits for it."""

    class Gone(io.StringIO):
        def write(self, _: str) -> int:
            raise BrokenPipeError

    much = "import sys\nfor _ in range(5000): print('x' * 100)\nprint('done', file=sys.stderr)"
    with Supervisor(Gone()) as made:
        child = made.start(Spec("loud", python(much)))
        eventually(lambda: child.pid is None, "it has said everything")


SUPERVISOR = """
import sys, threading
from app.jobs.supervisor import Spec, Supervisor
with Supervisor() as made:
    for number in range(3):
        made.start(Spec(f"child {number}", [sys.executable, "-c", sys.argv[1]]))
    made.wait(threading.Event())
"""


def test_even_a_supervisor_killed_hard_leaves_no_child() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SUPERVISOR, HOLDS.replace("'held'", "'held', __import__('os').getpid()")],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    ) as started:
        assert started.stdout is not None
        pids = [int(started.stdout.readline().split()[-1]) for _ in range(3)]
        assert all(is_alive(pid) for pid in pids)
        started.kill()
    eventually(lambda: not any(is_alive(pid) for pid in pids), "all children have ended", 5)


# --- the lifeline -----------------------------------------------------------------------------------------------------


def test_without_a_supervisor_nobody_watches_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(lifeline.ENV, raising=False)
    before = threading.active_count()
    lifeline.hold()
    assert threading.active_count() == before


def test_a_child_that_lingers_is_ended_hard() -> None:
    script = f"from app.jobs import lifeline; lifeline._GRACE_S = 0.2; lifeline.hold(); {DEAF}"
    with subprocess.Popen(
        python(script),
        cwd=ROOT,
        env={**os.environ, lifeline.ENV: "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        assert child.stdin is not None
        assert child.stdout.readline() == "deaf\n"
        child.stdin.close()
        assert child.wait(5) == 1
