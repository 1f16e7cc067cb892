"""The help a person reads, and how little has to be loaded to show it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import click
import pytest

from app.cli import cli, run
from app.cli.lazy import LazyGroup
from tests.jobs.processes import ROOT

#: What takes long to import, and is nobody's business before it is needed.
SLOW = ("sqlalchemy", "flask", "alembic", "rq", "rq_scheduler", "redis", "requests", "rich", "gunicorn", "cryptography")


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


EVERY = dict(commands(cli))
ITEM_10 = {
    "db upgrade", "practice create", "user create", "connections add", "connections list", "connections test",
    "connections pause", "connections resume", "clinicians map", "types list", "types set", "sync", "sheet", "history",
    "web", "worker", "scheduler", "sandbox", "demo", "doctor", "connections credentials",
    "connections systems", "connections tells",
    "practice timezone", "schedule show", "schedule set", "schedule hours", "schedule slots",
    "cases list", "cases show", "cases words", "cases settings",
    "practice retention", "quarantine list", "quarantine show", "quarantine retry", "quarantine resolve",
}  # fmt: skip
PATIENTS = {
    "patients coverage", "patients list", "patients add", "patients assign", "patients reviews", "patients settle",
    "organizations list", "organizations create",
}  # fmt: skip
HOLDS = {"holds list", "holds release", "holds keep", "holds undo"}


def test_the_commands_are_those_other_programs_call() -> None:
    assert {" ".join(path) for path in EVERY} == ITEM_10 | HOLDS | PATIENTS | {
        "redis"
    }  # the guard is the supervisor's own


@pytest.mark.parametrize("path", sorted(ITEM_10 | HOLDS | PATIENTS))
def test_each_command_explains_itself_and_takes_json(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*path.split(), "--help"]) == 0
    told = capsys.readouterr()
    assert told.err == ""
    assert told.out.startswith(f"Usage: runsheet {path} ")
    command = EVERY[tuple(path.split())]
    summary = command.get_short_help_str(200)
    assert summary.endswith((".", "…"))
    if path != "sandbox":  # its words go to the simulator's own command
        assert any("--json" in option.opts for option in command.params)
    for option in command.params:
        if isinstance(option, click.Option) and not option.hidden:
            assert option.help, option.opts
            assert option.help.endswith("."), option.opts


def test_the_lists_have_a_line_for_each_and_hide_only_what_nobody_types(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    listed = capsys.readouterr().out
    for name, (_, line) in cli.commands_at.items():
        assert (f"  {name} " in listed) == bool(line)
        assert line == "" or line.endswith(".")
    assert [name for name, (_, line) in cli.commands_at.items() if not line] == ["redis"]
    for name in ("db", "practice", "user", "connections", "clinicians", "types", "quarantine"):
        assert run([name, "-h"]) == 0
        group = cli.commands_at[name][0]
        assert isinstance(group, LazyGroup)
        listed = capsys.readouterr().out
        assert all(line in listed for _, line in group.commands_at.values())


def test_no_words_at_all_show_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    for words in ([], ["connections"]):
        assert run(words) == 2
        told = capsys.readouterr()
        assert told.out == ""
        assert "Commands:" in told.err


def loaded(*words: str, environ: dict[str, str] | None = None) -> set[str]:
    """Which of the slow ones a command has loaded by its end."""
    script = f"import sys; from app.cli import run; run({list(words)!r}); print(*sys.modules, file=sys.stderr)"
    ended = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=environ, capture_output=True, text=True, check=True, timeout=60
    )
    return {name.partition(".")[0] for name in ended.stderr.split()} & set(SLOW)


def test_help_loads_nothing_slow() -> None:
    assert loaded("--help") == set()
    assert loaded("connections", "--help") == set()


def test_a_small_command_loads_the_database_and_no_more(tmp_path, database_url: str) -> None:
    from tests.jobs.living import environment  # noqa: PLC0415

    words = ("connections", "list", "--json")
    found = loaded(*words, environ=environment(tmp_path / "home", database_url))
    assert found == {"sqlalchemy", "flask", "cryptography"}
