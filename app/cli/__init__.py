"""`runsheet`: a verb per process and per thing an operator does. Every command takes --json.

Exit codes: 0 done, 2 bad input, 3 partial or deferred, 4 failed, cancelled or abandoned. Errors go to stderr.
"""

from __future__ import annotations

import os
import sys
import traceback
from typing import Any

import click

from app import logs
from app.cli.lazy import LazyGroup
from app.cli.output import BAD_INPUT, FAILED
from app.errors import InvalidInput, NotFound, RunsheetError

_HELP = {"help_option_names": ["-h", "--help"]}


def _group(help_: str, commands_at: dict[str, tuple[str | click.Group, str]]) -> LazyGroup:
    return LazyGroup(help=help_, commands_at=commands_at, context_settings=_HELP)


_DATABASE = _group("The database.", {"upgrade": ("app.cli.access:upgrade", "Bring it to this release's tables.")})
_PRACTICE = _group(
    "Practices.",
    {
        "create": ("app.cli.access:create_practice", "Make a practice and print its id."),
        "retention": ("app.cli.quarantine:change_retention", "How long payloads and event details are kept."),
        "timezone": ("app.cli.schedule:timezone", "Correct a practice's time zone."),
    },
)
_USER = _group("People who sign in.", {"create": ("app.cli.access:create_user", "Make a user of a practice.")})
_CONNECTIONS = _group(
    "Connections to practice management systems (PMS).",
    {
        "add": ("app.cli.pairing:add", "Connect a practice by its code or credentials."),
        "credentials": ("app.cli.pairing:credentials", "Change what was typed, or show what is set."),
        "list": ("app.cli.connections:list_", "All connections, or those of one practice."),
        "systems": ("app.cli.systems:systems", "Which systems there are, and what each asks for."),
        "test": ("app.cli.pairing:test", "Ask the PMS whether it answers."),
        "tells": ("app.cli.connections:tells", "Tell the PMS what reception sets here, or nothing."),
        "pause": ("app.cli.connections:pause", "Stop syncing until somebody resumes it."),
        "resume": ("app.cli.connections:resume", "Sync again, or finish a pairing that was broken off."),
    },
)
_CLINICIANS = _group(
    "Clinicians of the run sheet.", {"map": ("app.cli.catalogue:map_", "Give every practitioner a clinician.")}
)
_TYPES = _group(
    "Appointment types.",
    {
        "list": ("app.cli.catalogue:list_types", "The types the PMS offers, and which are telehealth."),
        "set": ("app.cli.catalogue:set_types", "Say which types are telehealth."),
    },
)
_QUARANTINE = _group(
    "Records that could not be read.",
    {
        "list": ("app.cli.quarantine:list_", "Which, where and why."),
        "show": ("app.cli.quarantine:show", "One of them."),
        "retry": ("app.cli.quarantine:retry", "Sync now and ask for it by its id."),
        "resolve": ("app.cli.quarantine:resolve", "Settle it: ignored while it comes again unchanged."),
    },
)
_HOLDS = _group(
    "Removals that wait for a person.",
    {
        "list": ("app.cli.holds:list_", "What vanished at once and was not removed."),
        "release": ("app.cli.holds:release", "Remove the rows."),
        "keep": ("app.cli.holds:keep", "Let the rows stay."),
        "undo": ("app.cli.holds:undo", "Take the latest decision about a day back."),
    },
)
_SCHEDULE = _group(
    "When a practice syncs and when it is open.",
    {
        "show": ("app.cli.schedule:show", "Cron lines, what comes due when, hours, rooms."),
        "set": ("app.cli.schedule:set_", "Give a practice a cron line."),
        "hours": ("app.cli.schedule:hours", "Business hours, slot length, rooms, providers."),
        "slots": ("app.cli.schedule:slots", "The free slots of a day."),
    },
)
_CASES = _group(
    "Cases of a clinic.",
    {
        "list": ("app.cli.cases:list_", "The cases of a day, without notes."),
        "show": ("app.cli.cases:show", "One case, without its notes."),
        "words": ("app.cli.cases:words", "How the PMS's words become a case's status and type."),
        "settings": ("app.cli.cases:settings", "What a connection keeps of cases."),
    },
)
_PATIENTS = _group(
    "Patients of a practice, and whom a discovery found.",
    {
        "coverage": ("app.cli.patients:coverage", "How many have an id at each connection."),
        "list": ("app.cli.patients:list_", "Who they are."),
        "add": ("app.cli.patients:add", "Write one down by hand."),
        "assign": ("app.cli.patients:assign", "To an organisation, or out of it."),
        "reviews": ("app.cli.patients:reviews_", "Doubtful matches."),
        "settle": ("app.cli.patients:settle", "Say who a doubtful client is."),
    },
)
_ORGANIZATIONS = _group(
    "Organisations that patients belong to.",
    {
        "list": ("app.cli.patients:list_organizations", "All of a practice."),
        "create": ("app.cli.patients:create_organization", "Make one and print its id."),
    },
)

cli = LazyGroup(
    "runsheet",
    help="Today's telehealth appointments, fed from the practice's own system.",
    epilog="Exit codes: 0 done, 2 bad input, 3 partial or deferred, 4 failed. Settings come from the environment.",
    context_settings=_HELP,
    commands_at={
        "demo": ("app.cli.demo:demo", "Start everything on a simulated clinic."),
        "db": (_DATABASE, "The database."),
        "practice": (_PRACTICE, "Practices."),
        "user": (_USER, "People who sign in."),
        "connections": (_CONNECTIONS, "Connections to practice management systems."),
        "clinicians": (_CLINICIANS, "Clinicians of the run sheet."),
        "types": (_TYPES, "Appointment types."),
        "schedule": (_SCHEDULE, "When a practice syncs and when it is open."),
        "cases": (_CASES, "Cases of a clinic."),
        "patients": (_PATIENTS, "Patients of a practice, and whom a discovery found."),
        "organizations": (_ORGANIZATIONS, "Organisations that patients belong to."),
        "sync": ("app.cli.sync:sync", "Sync a connection now, in the foreground."),
        "holds": (_HOLDS, "Removals that wait for a person."),
        "sheet": ("app.cli.sheet:sheet", "The run sheet of a day."),
        "history": ("app.cli.history:history", "The last syncs of a connection."),
        "quarantine": (_QUARANTINE, "Records that could not be read."),
        "web": ("app.cli.pages:web", "Serve the pages."),
        "worker": ("app.cli.processes:worker", "Carry out syncs."),
        "scheduler": ("app.cli.processes:scheduler", "See what is due every 30 seconds."),
        "sandbox": ("app.cli.processes:sandbox", "Serve the simulated practice management systems."),
        "doctor": ("app.cli.doctor:doctor", "Check the set-up and say what to do."),
        "redis": ("app.cli.processes:redis", ""),
    },
)


def main() -> None:
    """The console script: every fault of ours or of the input is a sentence on stderr and an exit code."""
    logs.catch_the_rest()
    code = run(sys.argv[1:])
    _let_go_of_a_full_log()
    sys.exit(code)


def _let_go_of_a_full_log() -> None:
    """Where standard error lies on a full disk, Python's own last flush would turn a command that did its work into a
    failed one.
    """
    try:
        sys.stderr.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code. Raises nothing but SystemExit."""
    try:
        done: Any = cli.main(arguments, prog_name="runsheet", standalone_mode=False)
    except click.exceptions.Exit as exit_:
        return exit_.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return BAD_INPUT
    except Exception as error:  # noqa: BLE001 - the last net: a person reads a sentence, not our insides
        sentence, code = _told(error)
        click.echo(sentence, err=True)
        return code
    return done if isinstance(done, int) else 0


def _told(error: Exception) -> tuple[str, int]:
    """What went wrong, as a sentence, and its exit code."""
    match error:
        case click.Abort():
            return "Stopped.", FAILED
        case click.ClickException():
            context = error.ctx if isinstance(error, click.UsageError) else None
            more = f" See: {context.command_path} --help" if context else ""
            return _sentence(error.format_message()) + more, BAD_INPUT
        case InvalidInput() | NotFound():
            return str(error), BAD_INPUT
        case RunsheetError():
            return str(error), getattr(error, "exit_code", FAILED)
        case _:
            return _unexpected(error), FAILED


def _sentence(text: str) -> str:
    return text if text.endswith((".", "?", "!")) else f"{text}."


def _unexpected(error: Exception) -> str:
    """What to say of an error nobody foresaw. Its text may hold values, so only its kind and place are told."""
    family = type(error).__module__.partition(".")[0]
    name = type(error).__name__
    if family == "redis":
        return f"Redis does not answer ({name}). Check REDIS_URL, or start everything with `make run`."
    if family == "sqlalchemy" and name in ("OperationalError", "InterfaceError", "TimeoutError"):
        return f"The database does not answer ({name}). Check DATABASE_URL and that it runs."
    frames = traceback.extract_tb(error.__traceback__)
    ours = next((frame for frame in reversed(frames) if "/app/" in frame.filename), frames[-1])
    place = f"{ours.filename.rpartition('/app/')[2]}, line {ours.lineno}"
    return f"Runsheet itself made a mistake: {name} in {place}. Nothing more is known; please report it."
