"""The console script as other programs and people run it: set-up to sheet, against the simulator, in processes."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any
from uuid import UUID

import pytest

from app import cli
from app.store.models.sync import RunState
from tests.jobs.living import Practice, environment, stop_between_transactions, vendor
from tests.jobs.processes import ROOT, children, eventually
from tests.sandbox.process import RunningSandbox

RUNSHEET = str(Path(sys.executable).parent / "runsheet")


def runsheet(environ: Mapping[str, str], *words: object, stdin: str = "", code: int = 0) -> Any:
    """The one JSON value the command prints with --json; its exit code must be `code`."""
    ended = in_a_process(environ, [*(str(word) for word in words), "--json"], stdin)
    assert ended.returncode == code, ended.stderr
    assert "Traceback" not in ended.stderr
    return json.loads(ended.stdout)


def in_a_process(environ: Mapping[str, str], words: list[str], stdin: str) -> subprocess.CompletedProcess[str]:
    """`runsheet …` in a process of its own, forked from here: it need not import everything again."""
    with TemporaryFile("w+") as given, TemporaryFile("w+") as out, TemporaryFile("w+") as err:
        given.write(stdin)
        given.seek(0)
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                for number, file in enumerate((given, out, err)):
                    os.dup2(file.fileno(), number)
                sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w")  # noqa: SIM115
                os.environ.clear()
                os.environ.update(environ)
                os.chdir("/")
                code = cli.run(words)
                sys.stdout.flush()
                sys.stderr.flush()
            finally:
                os._exit(code)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(words, status, out.read(), err.read())


def inbound(result: Any) -> dict[str, int]:
    told: dict[str, int] = result["phases"]["inbound"]
    return {name: told[name] for name in ("fetched", "created", "updated", "unchanged", "removed", "quarantined")}


def counts(fetched: int, **more: int) -> dict[str, int]:
    return {
        "fetched": fetched,
        **dict.fromkeys(("created", "updated", "unchanged", "removed", "quarantined"), 0),
    } | more


@pytest.mark.feature("E06")
def test_from_nothing_to_a_live_sheet(tmp_path: Path, database_url: str, small_clinic: RunningSandbox) -> None:
    """Every step another program takes, in its order: today, a day, a range; asked twice, written once."""
    environ = environment(tmp_path / "home", database_url, **vendor(small_clinic))
    assert runsheet(environ, "db", "upgrade") == {"upgraded": True}
    zone = "Australia/Melbourne"
    practice = runsheet(environ, "practice", "create", "--name", "Banksia Ridge", "--timezone", zone)["id"]
    user = ("user", "create", "--practice", practice, "--email", "desk@b.example", "--role", "receptionist")
    runsheet(environ, *user, "--password-stdin", stdin="seven quiet herons at dusk\n")

    add = ("connections", "add", "gentu", "--practice", practice, "--pairing-code", small_clinic.pairing_code())
    connection = runsheet(environ, *add)
    assert connection["state"] == "active"
    id_ = connection["id"]
    mapped = runsheet(environ, "clinicians", "map", id_, "--all")
    assert mapped["mapped"] == mapped["created"] > 0
    video, other, *_ = runsheet(environ, "types", "list", id_)
    runsheet(environ, "types", "set", id_, "--telehealth", video["id"])

    today = date.fromisoformat(runsheet(environ, "sheet", "today", "--practice", practice)["day"])
    later = today + timedelta(days=2)
    for day, kind, times in (
        (today, video, ("09:00", "10:00")),
        (later, video, ("09:00",)),
        (today, other, ("11:00",)),
    ):
        for time in times:
            small_clinic.control("appointments", day=day.isoformat(), time=time, type_id=kind["pmsTypeId"])

    first = runsheet(environ, "sync", id_)
    assert (first["success"], first["status"], first["connectionId"]) == (True, "success", id_)
    assert inbound(first) == counts(3, created=2)
    assert first["phases"]["inbound"]["skipped"] == {"not_telehealth": 1}
    again = runsheet(environ, "sync", id_, "--from", today, "--to", later)
    assert inbound(again) == counts(4, created=1, unchanged=2)
    assert inbound(runsheet(environ, "sync", id_, "--from", later, "--to", later)) == counts(1, unchanged=1)

    sheet = runsheet(environ, "sheet", today, "--practice", practice)
    rows = [row for group in sheet["groups"] for row in group["rows"]]
    assert [(row["minutes"] > 0, row["status"], row["isTelehealth"]) for row in rows] == [(True, "booked", True)] * 2
    assert sheet["hidden"] == {"not_telehealth": 1}
    history = runsheet(environ, "history", id_)
    assert [(run["status"], run["trigger"], run["fetched"]) for run in history] == [
        ("success", "command", 1),
        ("success", "command", 4),
        ("success", "command", 3),
    ]


@pytest.mark.feature("E06")
def test_one_sync_per_connection_at_a_time(living: Callable[..., Practice], small_clinic: RunningSandbox) -> None:
    """Two commands meet a worker's run: it is the only one, and everybody gets its result."""
    practice = living(small_clinic)
    practice.only_when_pressed()
    practice.books(3)
    small_clinic.break_("slow", path="/tenants/*/appointments", ms=1000, next=2)
    alone = {name: value for name, value in practice.environ.items() if name != "REDIS_URL"}
    with practice.process("worker") as worker:
        worker.wait_for_line("ready")
        run_id = practice.presses()
        eventually(lambda: practice.run(run_id).state == RunState.RUNNING, "the worker has begun")
        (horse,) = children(worker.pid)
        stop_between_transactions(practice, horse)
        commands = [following(alone, practice.connection_id) for _ in range(2)]
        for command in commands:  # it says this last before it looks for a run to join
            assert command.stderr is not None
            assert command.stderr.readline().startswith("No Redis")
        os.kill(horse, signal.SIGCONT)
        told = [json.loads(command.communicate(timeout=30)[0]) for command in commands]
    assert [(one["syncId"], one["joined"], one["success"]) for one in told] == [(str(run_id), True, True)] * 2
    assert [inbound(one)["created"] for one in told] == [3, 3]
    assert practice.states() == [("success", None)]
    practice.stands_as_in_the_pms()


def following(environ: Mapping[str, str], connection_id: UUID) -> subprocess.Popen[str]:
    words = [RUNSHEET, "sync", str(connection_id), "--json"]
    return subprocess.Popen(words, env=dict(environ), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_somebody_at_a_terminal_sees_a_bar_for_each_phase(
    living: Callable[..., Practice], small_clinic: RunningSandbox
) -> None:
    practice = living(small_clinic)
    practice.only_when_pressed()
    practice.books(2)
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [RUNSHEET, "sync", str(practice.connection_id)],
        env=practice.environ | {"TERM": "xterm", "COLUMNS": "100"},
        stdout=subprocess.PIPE,
        stderr=theirs,
        cwd=ROOT,
        text=True,
    ) as command:
        os.close(theirs)
        seen = b""
        with suppress(OSError):  # the terminal is gone when the command has ended
            while part := os.read(ours, 4096):
                seen += part
        os.close(ours)
        assert command.stdout is not None
        said = command.stdout.read()
    assert command.returncode == 0
    assert "inbound" in seen.decode()
    assert "━" in seen.decode()
    assert "inbound: 2 fetched, 2 new" in said
    assert "\x1b" not in said  # what is piped on stays plain
