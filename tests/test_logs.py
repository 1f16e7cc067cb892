"""Log lines: only fields on a list, one line each, nothing that was filled in, and the run's id from every thread."""

from __future__ import annotations

import json
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import pytest

from app import logs
from app.domain.window import Window, zone_of
from app.logs import ConsoleFormatter, JsonFormatter, SafeHandler
from app.pms.port import Page, Partition
from app.sync.fetch import Fetcher, Finished

CANARY = "Zephyrine Quillfeather"


class Lines(logging.Handler):
    """What each line would be, in our form."""

    def __init__(self, formatter: logging.Formatter) -> None:
        super().__init__()
        self.setFormatter(formatter)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@pytest.fixture
def written() -> Iterator[Callable[..., str]]:
    """`written(name, level, message, *args, **more)`: the line that comes of it, as JSON."""
    added: list[tuple[logging.Logger, Lines]] = []

    def write(name: str, message: Any, *args: Any, form: type[logging.Formatter] = JsonFormatter, **more: Any) -> str:
        log, lines = logging.getLogger(name), Lines(form())
        log.addHandler(lines)
        added.append((log, lines))
        log.error(message, *args, **more)
        (line,) = lines.lines
        log.removeHandler(lines)
        return line

    yield write
    for log, lines in added:
        log.removeHandler(lines)


@pytest.mark.security("X27")
def test_only_fields_on_the_list_are_told_and_only_words_and_numbers(written: Callable[..., str]) -> None:
    extra = {"run_id": "0af8", "count": 7, "patient": CANARY, "reason": CANARY, "state": "x" * 300, "kind": None}
    told = json.loads(written("app.sync", "sync ended", extra=extra))
    assert told | {"time": ""} == {
        "time": "", "level": "error", "logger": "app.sync", "message": "sync ended",
        "run_id": "0af8", "count": 7, "reason": "[withheld]", "state": "[withheld]",
    }  # fmt: skip


@pytest.mark.security("X27")
@pytest.mark.parametrize(
    ("name", "message", "args", "told"),
    [
        ("app.sync", "could not map %s, %d of %d", (CANARY, 3, 4), "could not map …, 3 of 4"),
        ("app.sync", "%(who)s came at %(at)s, 100 %%", ({"who": CANARY, "at": 9},), "… came at 9, 100 %"),
        ("app.sync", "call 0491 570 156 or z.q@example.com", (), "call [number] or [e-mail]"),
        ("app.sync", "one\nforged line", (), "one\\x0aforged line"),
        ("somebody.else", f"hello {CANARY}", (), "a line of somebody.else, from test_logs:"),
        ("app.sync", ValueError(CANARY), (), "(ValueError)"),
    ],
)
def test_what_was_filled_into_a_message_is_left_out_again(
    written: Callable[..., str], name: str, message: Any, args: tuple[Any, ...], told: str
) -> None:
    line = written(name, message, *args)
    assert json.loads(line)["message"].startswith(told)
    assert "\n" not in line
    assert CANARY not in line
    assert CANARY not in written(name, message, *args, form=ConsoleFormatter)


@pytest.mark.security("X26")
def test_of_an_error_its_kind_and_place_are_told_and_nothing_else(written: Callable[..., str]) -> None:
    def fails(patient: str) -> None:
        raise ValueError(f"cannot read {patient}")

    try:
        fails(CANARY)
    except ValueError as error:
        line = written("app.sync", "sync failed", exc_info=error)
    told = json.loads(line)
    assert told["error"] == "ValueError"
    assert told["at"][-1].startswith("tests/test_logs.py:")
    assert told["at"][-1].endswith(" fails")
    assert CANARY not in line


def test_a_line_that_cannot_be_written_says_so_and_nothing_more(capsys: pytest.CaptureFixture[str]) -> None:
    class Broken(logging.Formatter):
        def format(self, record: logging.LogRecord) -> str:
            raise ValueError(CANARY)

    handler = SafeHandler(sys.stderr)
    handler.setFormatter(Broken())
    handler.handle(logging.makeLogRecord({"msg": CANARY}))
    assert capsys.readouterr().err == "a log line could not be written\n"


@pytest.mark.security("X27")
def test_a_thread_that_ends_by_an_error_tells_its_kind_and_place(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    logs.catch_the_rest()

    def fails() -> None:
        raise ValueError(CANARY)

    thread = threading.Thread(target=fails)
    thread.start()
    thread.join()
    (record,) = caplog.records
    line = JsonFormatter().format(record)
    assert json.loads(line)["message"] == "a thread ended by an error"
    assert json.loads(line)["error"] == "ValueError"
    assert CANARY not in line


class Talking:
    """An adapter whose every page is a log line."""

    def appointments(self, partition: Partition, cursor: str | None) -> Iterator[Page]:
        logging.getLogger("app.pms.http").error("asked the PMS")
        yield from ()


def test_lines_of_fetchers_bear_the_run_s_id() -> None:
    lines = Lines(JsonFormatter())
    log = logging.getLogger("app.pms.http")
    log.addHandler(lines)
    day = date(2026, 3, 9)
    window = Window(day, day, zone_of("Australia/Melbourne"))
    partitions = [Partition(f"dr-{number}", window) for number in range(3)]
    try:
        with (
            logs.bound(run_id="0af8"),
            Fetcher(Talking(), partitions, {}, threads=3) as fetcher,  # type: ignore[arg-type]
        ):
            assert [type(event) for event in fetcher.events(lambda: None)] == [Finished] * 3
    finally:
        log.removeHandler(lines)
    assert [json.loads(line).get("run_id") for line in lines.lines] == ["0af8"] * 3


def test_bound_fields_end_with_their_block_and_are_nobody_else_s(written: Callable[..., str]) -> None:
    with logs.bound(run_id="outer", patient=CANARY):
        with logs.bound(run_id="inner", connection_id="7"):
            told = json.loads(written("app.sync", "x"))
            assert (told["run_id"], told["connection_id"]) == ("inner", "7")
        told = json.loads(written("app.sync", "x"))
        assert told["run_id"] == "outer"
        assert "connection_id" not in told
        assert "patient" not in told
    assert "run_id" not in json.loads(written("app.sync", "x"))


@pytest.mark.parametrize(("level", "heard"), [("debug", True), ("info", False)])
def test_each_request_to_a_pms_is_a_line_for_who_looks_for_a_fault_there(level: str, heard: bool) -> None:
    root, ours = logging.getLogger(), logging.getLogger("app")
    before = (root.handlers[:], root.level, ours.level)
    try:
        logs.set_up("json", level)
        logs.set_up("json", level)
        assert len([one for one in root.handlers if isinstance(one, SafeHandler)]) == 1
        assert logging.getLogger("app.pms.http").isEnabledFor(logging.DEBUG) is heard
        assert logging.getLogger("app.sync.run").isEnabledFor(logging.INFO)
        assert not logging.getLogger("somebody.else").isEnabledFor(logging.INFO)
    finally:
        root.handlers[:] = before[0]
        root.setLevel(before[1])
        ours.setLevel(before[2])
