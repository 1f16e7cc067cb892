"""`runsheet demo` as a stranger starts it: one command, one address, and nothing left when it ends."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
import requests

from app.cli import run
from app.cli.instance import is_free
from app.jobs.redis import announced
from app.pms.registry import ADAPTERS
from tests.cli.stranger import CHILDREN, ROW, Desk, demo, environment, free_port, of_home, refused, status_of
from tests.jobs.processes import eventually, is_alive


@pytest.fixture
def home() -> Iterator[Path]:
    """As short as a checkout's own."""
    made = Path(tempfile.mkdtemp(prefix="rsd-"))
    yield made / "var"
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture
def other_home(tmp_path: Path) -> Path:
    """So long that no socket could lie in it."""
    return tmp_path / ("deep" * 20) / "var"


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_stranger_signs_in_the_page_moves_by_itself_what_dies_comes_back_and_ctrl_c_ends_all(
    home: Path, tmp_path: Path
) -> None:
    port = free_port()
    with demo(home, port, tmp_path / "said") as first:
        first.wait_until_ready()
        assert first.address == f"http://127.0.0.1:{port}/"
        people = [f"{who}@demo.example" for who in ("reception", "clinician", "admin", "owner")]
        assert list(first.log_ins) == people
        assert len(set(first.log_ins.values())) == 1
        secrets = (home / "secrets" / "demo_password").stat().st_mode & 0o777
        assert (home.stat().st_mode & 0o777, secrets) == (0o700, 0o600)

        # Whatever system somebody tries here, nothing they type leaves this machine.
        speaks = Path(f"/proc/{first.child('web')}/environ").read_text()
        for kind in ADAPTERS:
            assert f"{kind.upper()}_BASE_URL=http://127.0.0.1:" in speaks

        with Desk(first.address) as desk:
            page = desk.sign_in(people[0], first.log_ins[people[0]])
            board = desk.waits_for(page, ROW.search, "the first sync has come to the page by itself", 60)
            # Of those on the board the last: tomorrow's rows are stored too, and the next one may arrive any moment.
            cancelled = [id_ for id_ in map(UUID, ROW.findall(board)) if status_of(board, id_) == "Booked"][-1]
            ((at_the_vendor,),) = first.rows(
                f"SELECT pms_appointment_id FROM run_sheet_appointments WHERE id = '{cancelled.hex}'"
            )
            with requests.Session() as session:
                session.trust_env = False
                answer = session.post(f"{first.control}appointments/{at_the_vendor}/cancel", json={}, timeout=10)
                assert answer.ok, answer.text

            assert refused(home, free_port()).startswith("Runsheet is already running from ")
            assert refused(tmp_path / "elsewhere", port) == (
                f"Port {port} is taken by another program. Stop that, or choose another: PORT={port + 10} make run\n"
            )

            for name in CHILDREN:  # one after the other
                os.kill(first.child(name), signal.SIGKILL)
                line = f"supervisor | {name} ended (SIGKILL); starting it again"
                other = (
                    f"supervisor | {name[:-1]}{'2' if name.endswith('1') else '1'} ended (SIGKILL); starting it again"
                )
                before = [line, other] if name.startswith("worker") else [line]
                eventually(lambda told=before: any(one in first.said for one in told), f"{name} is started again")
            eventually(desk.answers, "the pages are there again", 60)
            desk.waits_for(
                board,
                lambda now: status_of(now, cancelled) == "Cancelled",
                "what was cancelled at the vendor is cancelled on the page, by itself",
                150,
            )

        # The supervisor, Redis and its guard, simulator, two workers, scheduler, three of web.
        eventually(lambda: len(of_home(home)) >= 10, "everything runs again", 60)
        assert first.end(signal.SIGINT) == 0
        assert of_home(home) == []
        assert "runsheet   | Stopping." in first.said.splitlines()  # a child may have said its last word later
        assert "Traceback" not in first.said
        assert announced(home / "run") is None
        assert is_free("127.0.0.1", port)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_killed_hard_it_leaves_nothing_a_second_start_carries_on_and_a_neighbour_notices_nothing(
    home: Path, other_home: Path, tmp_path: Path
) -> None:
    port = free_port()
    with demo(home, port, tmp_path / "first") as first, demo(other_home, free_port(), tmp_path / "other") as other:
        for each in (first, other):
            each.wait_until_ready()
        assert first.control != other.control
        beside = announced(other_home / "run")
        assert beside is not None
        assert not Path(beside.socket).is_relative_to(other_home)  # it lies in a short folder of its own
        before, log_ins, everything = first.ids(), first.log_ins, of_home(home)
        os.kill(first.popen.pid, signal.SIGKILL)
        first.popen.wait(10)
        with demo(home, port, tmp_path / "second") as second:  # at once: its predecessor's children are still ending
            second.wait_until_ready()
            assert not any(is_alive(pid) for pid in everything)
            assert second.ids() == before  # the same practice, and no second pairing
            assert len(before) == 1
            assert second.log_ins == log_ins
            with Desk(second.address) as desk:
                page = desk.sign_in("owner@demo.example", log_ins["owner@demo.example"])
                desk.waits_for(page, ROW.search, "the sync goes on", 60)
            assert second.end(signal.SIGTERM) == 0
            assert of_home(home) == []  # of neither
        with Desk(other.address) as desk:
            assert desk.answers()
        assert other.end(signal.SIGHUP) == 0
        assert of_home(other_home) == []
        assert not Path(beside.socket).parent.exists()


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ({"HOST": "0.0.0.0"}, "The demo serves this machine only: leave HOST at 127.0.0.1.\n"),
        ({"PORT": "0"}, "Runsheet cannot start with these settings:\n  - PORT is “0”; "),
        ({"RUNSHEET_ENV": "production"}, "Runsheet cannot start with these settings:\n"),
    ],
)
def test_what_the_demo_does_not_do_is_said_before_anything_starts(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    setting: dict[str, str],
    sentence: str,
) -> None:
    monkeypatch.setattr(os, "environ", environment(tmp_path / "var", free_port()) | setting)
    assert run(["demo"]) == 4
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith(sentence)
    assert not (tmp_path / "var" / "run").exists()
