"""Log lines without patient data: only fields on a list, newlines encoded, and a net for what slips through.

A line's message is written by us and constant; what varies goes into `extra`, and only the names in FIELDS are
printed. The net replaces e-mail addresses, phone numbers and long digit runs anywhere in a line (X27).
"""

from __future__ import annotations

import contextlib
import contextvars
import logging
import re
import sys
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec

#: What a line may carry beside its message. Ids of ours are opaque; nothing here names a person.
FIELDS = frozenset(
    {
        "address", "attempt", "claimed", "connection_id", "count", "duration_ms", "error", "event", "exit_code",
        "host", "job_id", "kind", "method", "outcome", "phase", "pid", "port", "practice_id", "process", "queue",
        "reason", "request_id", "role", "route", "run_id", "state", "status", "trigger", "user_id", "vendor",
        "wait_s", "worker",
    }
)  # fmt: skip

_EMAIL = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+")
_NUMBER = re.compile(r"(?<![\w-])\+?\d[\d ()]{6,}\d(?![\w-])")
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
    return text.replace("\r", "\\r").replace("\n", "\\n")


class SafeFormatter(logging.Formatter):
    """The allow-list. Subclasses say how a line looks."""

    def facts(self, record: logging.LogRecord) -> dict[str, Any]:
        found = {**_BOUND.get({}), **{name: value for name, value in vars(record).items() if name in FIELDS}}
        # `process` is also a LogRecord's own pid; ours is only there when somebody set it to a name.
        if isinstance(found.get("process"), int):
            del found["process"]
        facts = {name: self._plain(value) for name, value in found.items() if name in FIELDS and value is not None}
        if record.exc_info and record.exc_info[1] is not None:
            facts["error"] = type(record.exc_info[1]).__name__
            facts["at"] = self._frames(record.exc_info[1])
        return facts

    @staticmethod
    def message(record: logging.LogRecord) -> str:
        """Our own messages are constant; a library's may hold anything and passes the net."""
        return scrub(record.getMessage())

    @staticmethod
    def _plain(value: Any) -> Any:
        return value if isinstance(value, int | float | bool) else scrub(str(value))

    @staticmethod
    def _frames(error: BaseException) -> list[str]:
        """Where it happened: files and lines of the last frames. No exception text, no locals: they hold values."""
        frames = traceback.extract_tb(error.__traceback__)[-6:]
        return [f"{frame.filename.rsplit('/', 2)[-1]}:{frame.lineno} {frame.name}" for frame in frames]


class JsonFormatter(SafeFormatter):
    """One JSON object a line, for machines."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self.message(record),
        }
        return msgspec.json.encode(line | self.facts(record)).decode()


class ConsoleFormatter(SafeFormatter):
    """One short line, for somebody at a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created).astimezone().strftime("%H:%M:%S")
        told = " ".join(f"{name}={value}" for name, value in self.facts(record).items())
        level = "" if record.levelno < logging.WARNING else f"{record.levelname.lower()} "
        return f"{at} {level}{self.message(record)} {told}".rstrip()


def set_up(log_format: str, level: str) -> None:
    """Send every log line of this process to stderr in our form. Repeating it changes the form, not the number."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if log_format == "json" else ConsoleFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)  # libraries speak only when something is wrong
    logging.getLogger("app").setLevel(_LEVELS[level])
