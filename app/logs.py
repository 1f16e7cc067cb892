"""Log lines without patient data: only fields on a list, newlines encoded, and a net for what slips through (X27).

A line's message is written by us and constant; what varies goes into `extra`, and only the names in FIELDS are
printed, only where they hold a word or a number. What is filled into a message is left out again, whoever wrote it,
unless it is a number; of an exception the kind and the place are told, never its text or the values around it.
"""

from __future__ import annotations

import contextlib
import contextvars
import json
import logging
import re
import sys
import threading
import traceback
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

#: What a line may carry beside its message. Ids of ours are opaque; nothing here names a person.
FIELDS = frozenset(
    {
        "address", "attempt", "claimed", "connection_id", "count", "duration_ms", "error", "event", "exit_code",
        "host", "job_id", "kind", "method", "outcome", "phase", "pid", "port", "practice_id", "queue",
        "reason", "record_id", "request_id", "role", "route", "run_id", "state", "status", "trigger", "user_id",
        "vendor", "wait_s", "worker",
    }
)  # fmt: skip

#: Whose messages are constants or templates throughout. Others' are told by their place when nothing was filled in:
#: then the text may have been put together with anything.
CONSTANT = ("app", "alembic", "rq", "rq_scheduler", "runsheet", "sqlalchemy", "urllib3")

_EMAIL = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+")
_NUMBER = re.compile(r"(?<![\w-])\+?\d[\d ()]{6,}\d(?![\w-])")
_WORD = re.compile(r"[\w.:,+/{}<>*=-]{0,200}")
_FILLED = re.compile(r"%(?:%|(?:\((?P<name>[^)]*)\))?[#0\- +]*(?:\*|\d+)?(?:\.(?:\*|\d+))?[hlL]?[a-zA-Z])")
_GAP = "…"
_BOUND: contextvars.ContextVar[dict[str, Any]] = contextvars.ContextVar("log_fields")
_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


@contextlib.contextmanager
def bound(**fields: Any) -> Iterator[None]:
    """Put these fields on every line written inside the block, by this thread or task."""
    token = _BOUND.set({**_BOUND.get({}), **fields})
    try:
        yield
    finally:
        _BOUND.reset(token)


def scrub(text: str) -> str:
    """The text with what looks like a person's contact or number taken out, on one line."""
    text = _NUMBER.sub("[number]", _EMAIL.sub("[e-mail]", text))
    return "".join(character if character.isprintable() else f"\\x{ord(character):02x}" for character in text)


class SafeFormatter(logging.Formatter):
    """The allow-list. Subclasses say how a line looks."""

    def facts(self, record: logging.LogRecord) -> dict[str, Any]:
        found = {**_BOUND.get({}), **{name: value for name, value in vars(record).items() if name in FIELDS}}
        facts = {name: _plain(value) for name, value in found.items() if name in FIELDS and value is not None}
        if record.exc_info and record.exc_info[1] is not None:
            facts["error"] = type(record.exc_info[1]).__name__
            facts["at"] = _frames(record.exc_info[1])
        return facts

    @staticmethod
    def message(record: logging.LogRecord) -> str:
        """The message as it was written down, without what was filled in."""
        if not isinstance(record.msg, str):
            return f"({type(record.msg).__name__})"
        if record.args:
            return scrub(_emptied(record.msg, record.args))
        if record.name.partition(".")[0] in CONSTANT:
            return scrub(record.msg)
        return f"a line of {record.name}, from {record.module}:{record.lineno}"


def _emptied(template: str, args: Mapping[str, object] | tuple[object, ...]) -> str:
    """The template with numbers filled in and a gap for everything else."""
    rest = iter(args if isinstance(args, tuple) else ())

    def fill(place: re.Match[str]) -> str:
        if place[0] == "%%":
            return "%"
        value = args.get(place["name"]) if isinstance(args, Mapping) else next(rest, None)
        return str(value) if isinstance(value, int | float) else _GAP

    return _FILLED.sub(fill, template)


def _plain(value: Any) -> Any:
    """A number, or a word; anything longer is not what these fields are for."""
    if isinstance(value, int | float | bool):
        return value
    text = str(value)
    return scrub(text) if _WORD.fullmatch(text) else "[withheld]"


def _frames(error: BaseException) -> list[str]:
    """Where it happened: files and lines of the last frames. No exception text, no locals: they hold values."""
    frames = traceback.extract_tb(error.__traceback__)[-6:]
    return [f"{'/'.join(frame.filename.split('/')[-2:])}:{frame.lineno} {frame.name}" for frame in frames]


class JsonFormatter(SafeFormatter):
    """One JSON object a line, for machines."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self.message(record),
        }
        return json.dumps(line | self.facts(record), ensure_ascii=False)


class ConsoleFormatter(SafeFormatter):
    """One short line, for somebody at a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created).astimezone().strftime("%H:%M:%S")
        told = " ".join(f"{name}={value}" for name, value in self.facts(record).items())
        level = "" if record.levelno < logging.WARNING else f"{record.levelname.lower()} "
        return f"{at} {level}{self.message(record)} {told}".rstrip()


class SafeHandler(logging.StreamHandler[Any]):
    """The stock one prints a record's values when it cannot format them; this one says only that it could not."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802, ARG002 - logging's name
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write("a log line could not be written\n")


def set_up(log_format: str, level: str) -> None:
    """Send every log line of this process to stderr in our form. Repeating it changes the form, not the number."""
    handler = SafeHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if log_format == "json" else ConsoleFormatter())
    root = logging.getLogger()
    kept = [one for one in root.handlers if type(one) not in (SafeHandler, logging.StreamHandler)]
    root.handlers[:] = [*kept, handler]
    root.setLevel(logging.WARNING)  # libraries speak only when something is wrong
    logging.getLogger("app").setLevel(_LEVELS[level])


def catch_the_rest() -> None:
    """For a whole process: an error that ends a thread becomes a line of ours instead of a traceback with its text."""

    def note(ended: threading.ExceptHookArgs) -> None:
        error = ended.exc_value
        if error is not None and not isinstance(error, SystemExit):
            logging.getLogger("app").error("a thread ended by an error", exc_info=error)

    threading.excepthook = note
