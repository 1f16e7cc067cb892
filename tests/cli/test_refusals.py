"""Bad input and faults: one clear sentence on standard error, the right exit code, and nothing half-made behind."""

from __future__ import annotations

import io
import shlex
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, inspect, text

from app.cli.output import pairs
from app.errors import InvalidInput
from app.pms.registry import ADAPTERS
from tests.cli.conftest import PASSWORD, Shell
from tests.jobs.living import Practice
from tests.sandbox.process import RunningSandbox

BAD_INPUT, FAILED = 2, 4
NOBODY = str(uuid4())


@pytest.fixture
def rows(database_url: str) -> Any:
    """How many rows each table has, to see that a refusal wrote nothing."""

    def count() -> dict[str, int]:
        engine = create_engine(database_url)
        with engine.connect() as connection:
            names = inspect(connection).get_table_names()
            told = {name: connection.execute(text(f'SELECT count(*) FROM "{name}"')).scalar_one() for name in names}
        engine.dispose()
        return {name: rows for name, rows in told.items() if name not in ("encryption_keys", "pms_app_tokens")}

    return count


# --- what somebody types ----------------------------------------------------------------------------------------------


NO_CONNECTION = f"There is no connection {NOBODY}."
NO_PRACTICE = f"There is no practice {NOBODY}."
#: What is typed ({practice} is one that exists), and the whole of what is said.
REFUSED = {
    "practice create --name X --timezone Mars/Olympus": "“Mars/Olympus” is not a time zone we know. "
    "Use an IANA name such as Australia/Melbourne.",
    "practice create --name ' ' --timezone Australia/Perth": "A practice needs a name.",
    "practice create --name X": "Missing option '--timezone'. See: runsheet practice create --help",
    "user create --practice {practice} --email a@b.example --role wizard --password-stdin": "“wizard” is not a role. "
    "Use one of receptionist, clinician, admin, owner.",
    "user create --practice {practice} --email a@b.example --role admin --password-stdin --json": "Use at least 12 "
    "characters. A few words in a row work well.",
    "user create --practice {practice} --email a@b.example --role admin": "Missing option '--password-stdin'. "
    "See: runsheet user create --help",
    "connections add paper --practice {practice}": "“paper” is not a system we speak to. "
    f"Known: {', '.join(sorted(ADAPTERS))}.",
    f"connections add gentu --practice {NOBODY}": NO_PRACTICE,
    "connections add gentu --practice 7": "Invalid value for '--practice': “7” is not an id. Ids look like "
    "3aef91c0-ff22-47e6-942d-182cb65cbf20. See: runsheet connections add --help",
    "connections add gentu --practice {practice} --set client_secret=hunter2": "Gentu does not take client_secret. "
    "It pairs with a code: --pairing-code.",
    f"connections list --practice {NOBODY}": NO_PRACTICE,
    f"connections test {NOBODY}": NO_CONNECTION,
    f"connections pause {NOBODY}": NO_CONNECTION,
    f"connections resume {NOBODY} --json": NO_CONNECTION,
    f"clinicians map {NOBODY} --all": NO_CONNECTION,
    f"clinicians map {NOBODY}": "Missing option '--all'. See: runsheet clinicians map --help",
    f"types list {NOBODY}": NO_CONNECTION,
    f"types set {NOBODY} --all": NO_CONNECTION,
    f"types set {NOBODY}": "Give either --telehealth ID[,ID...] or --all.",
    f"types set {NOBODY} --all --telehealth x": "Give either --telehealth ID[,ID...] or --all.",
    f"sync {NOBODY} --json": NO_CONNECTION,
    "sheet 2026-02-30 --practice {practice}": "“2026-02-30” is not a day. Write it as 2026-03-09, or today or "
    "tomorrow.",
    "sheet 1066-10-14 --practice {practice}": "“1066-10-14” is outside the years 1900 to 2100.",
    "sheet today --practice {practice} --at noon": "“noon” is not an instant. Write it as 2026-03-09T10:42, or with an "
    "offset, 2026-03-09T10:42+11:00.",
    "sheet today --practice {practice} --at 2099-03-09T10:42 --json": "2099-03-09T10:42 lies in the future; nobody "
    "knows yet how the sheet will stand.",
    f"sheet today --practice {NOBODY}": NO_PRACTICE,
    "sheet today": "Missing option '--practice'. See: runsheet sheet --help",
    f"history {NOBODY}": NO_CONNECTION,
    f"history {NOBODY} --limit 0": "Invalid value for '--limit': 0 is not in the range 1<=x<=500. "
    "See: runsheet history --help",
    "histroy": "No such command 'histroy'. Did you mean 'history'? See: runsheet --help",
    "db downgrade": "No such command 'downgrade'. Did you mean 'upgrade'? See: runsheet db --help",
    "connections list --yaml": "No such option '--yaml'. See: runsheet connections list --help",
}


def test_every_bad_word_is_told_in_one_sentence_and_writes_nothing(shell: Shell, practice_id: str, rows: Any) -> None:
    before = rows()
    for typed, sentence in REFUSED.items():
        words = shlex.split(typed.replace("{practice}", practice_id))
        assert shell(*words, stdin="short\n").refuses(BAD_INPUT) == sentence
    assert rows() == before


def test_a_user_needs_a_strong_password_and_an_address(shell: Shell, practice_id: str, rows: Any) -> None:
    before = rows()
    words = ("user", "create", "--practice", practice_id, "--role", "owner", "--password-stdin", "--json", "--email")
    shell(*words, "a@b.example", stdin="password1234\n").refuses(BAD_INPUT, "among the first an attacker tries")
    shell(*words, "a@b.example", stdin="").refuses(BAD_INPUT, "at least 12 characters")
    shell(*words, "nobody", stdin=PASSWORD).refuses(BAD_INPUT, "“nobody” is not an e-mail address.")
    assert rows() == before
    assert shell(*words, "a@b.example", stdin=f"{PASSWORD}\n").code == 0
    shell(*words, "A@b.example", stdin=PASSWORD).refuses(BAD_INPUT, "already a member of this practice")


def test_days_and_phases_of_a_sync_are_checked_before_anything_is_asked(practice: Practice, shell: Shell) -> None:
    sync = ("sync", practice.connection_id)
    for words, part in {
        ("--from", "soon"): "“soon” is not a day.",
        ("--to", "2026-13-01"): "“2026-13-01” is not a day.",
        ("--from", "tomorrow", "--to", "today"): "The last day lies before the first day.",
        ("--from", "2026-01-01", "--to", "2027-06-01"): "at most a year at a time",
        ("--phase", "divination"): "“divination” is not a phase. Use one of ",
    }.items():
        shell(*sync, *words).refuses(BAD_INPUT, part)
        shell(*sync, *words, "--json").refuses(BAD_INPUT, part)
    assert practice.runs() == []


def test_types_that_are_not_of_this_connection_change_nothing(practice: Practice, shell: Shell) -> None:
    before = shell("types", "list", practice.connection_id, "--json").json
    good = before[0]["id"]
    words = ("types", "set", practice.connection_id, "--telehealth")
    shell(*words, f"{good},{NOBODY}").refuses(BAD_INPUT, f"There is no appointment type {NOBODY} on this connection.")
    assert shell("types", "list", practice.connection_id, "--json").json == before


def test_a_draft_is_neither_synced_nor_paused_nor_resumed(shell: Shell, practice_id: str) -> None:
    draft = shell("connections", "add", "gentu", "--practice", practice_id, "--json").json
    assert draft["state"] == "draft"
    shell("sync", draft["id"]).refuses(BAD_INPUT, "is not paired")
    shell("connections", "pause", draft["id"]).refuses(BAD_INPUT, "Only a connection that syncs can be paused.")
    shell("connections", "resume", draft["id"]).refuses(BAD_INPUT, "Only a paused connection")


# --- secrets ----------------------------------------------------------------------------------------------------------


@pytest.mark.security("X23")
def test_a_secret_never_stands_on_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every user of the machine can read a command line; the refusal does not repeat it either."""
    with pytest.raises(InvalidInput, match=r"^token is a secret: give it as token=@file or token=-") as met:
        pairs(["token=hunter2-hunter2"], {"token"})
    assert "hunter2" not in str(met.value)
    file = tmp_path / "token"
    file.write_text("from-a-file\n")
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert pairs([f"token=@{file}", "site=main"], {"token"}) == {"token": "from-a-file", "site": "main"}
    for given, part in {
        ("token",): "Give --set as key=value",
        ("=x",): "Give --set as key=value",
        (f"token=@{tmp_path}/none",): "The file for token cannot be read.",
        ("token=-",): "token is empty.",
        ("site=a", "site=b"): "site is given twice.",
    }.items():
        with pytest.raises(InvalidInput, match=part):
            pairs(given, {"token"})


def test_a_secret_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("typed in\n"))
    assert pairs(["token=-"], {"token"}) == {"token": "typed in"}


# --- pairing ----------------------------------------------------------------------------------------------------------


def test_a_code_that_is_refused_leaves_nothing_behind(
    shell: Shell, practice_id: str, gentu: RunningSandbox, rows: Any
) -> None:
    before = rows()
    add = ("connections", "add", "gentu", "--practice", practice_id, "--json", "--pairing-code")
    asked = gentu.state()["total"]
    for malformed in ("", "ABC", "ABCDEFGHI", "ABCD-FGH"):
        shell(*add, malformed).refuses(BAD_INPUT, "8")
    assert gentu.state()["total"] == asked  # refused without a call
    told = shell(*add, "ZZZZ9999").refuses(BAD_INPUT)
    assert told == (
        "Gentu did not accept the pairing code. Codes work once and expire: get a new one from the app's page in Gentu "
        "and enter it here."
    )
    assert rows() == before
    code = gentu.pairing_code()
    assert shell(*add, f" {code} ").json["state"] == "active"
    after = rows()
    shell(*add, code).refuses(BAD_INPUT, "did not accept the pairing code")  # it is used up
    shell(*add, gentu.pairing_code()).refuses(BAD_INPUT, "already connected")  # the same practice of the vendor's
    assert rows() == after


def test_an_address_behind_which_there_is_no_gentu_is_told_as_that(
    shell: Shell, practice_id: str, gentu: RunningSandbox
) -> None:
    """The right host with the wrong path: nobody is sent to look for a record that was never the matter."""
    code = gentu.pairing_code()
    add = ("connections", "add", "gentu", "--practice", practice_id, "--pairing-code", code)
    wrong = str(shell.environ["GENTU_BASE_URL"]).replace("/gentu/", "/")
    shell(*add, GENTU_BASE_URL=wrong, GENTU_TOKEN_URL=None).refuses(FAILED, "the address set for Gentu is wrong")
    assert shell("connections", "list", "--json").json == []
    assert shell(*add).code == 0, "the code is unspent"


@pytest.mark.parametrize("json", [(), ("--json",)])
def test_what_only_the_operator_or_the_vendor_can_mend_is_a_failure(
    shell: Shell, practice_id: str, gentu: RunningSandbox, rows: Any, json: tuple[str, ...]
) -> None:
    before = rows()
    add = ("connections", "add", "gentu", "--practice", practice_id, "--pairing-code", "ABCD1234", *json)
    missing = shell(*add, GENTU_CLIENT_ID=None, GENTU_CLIENT_SECRET=None).refuses(FAILED)
    assert missing.startswith("Gentu is not set up on this Runsheet: GENTU_CLIENT_ID, GENTU_CLIENT_SECRET are not set.")
    gentu.break_("refuse_credentials")
    told = shell(*add).refuses(FAILED)
    assert told.startswith("Gentu refuses our credentials. Whoever runs this Runsheet must check the client id")
    gentu.mend()
    gentu.break_("unprovisioned", path="/apps")
    told = shell(*add, GENTU_CLIENT_SECRET="runsheet-demo-secret").refuses(FAILED)
    assert told.startswith("Gentu has not finished setting our app up. Only the vendor can fix it")
    gentu.mend()
    told = shell(*add, GENTU_BASE_URL="http://127.0.0.1:9/gentu/v1").refuses(FAILED)
    assert told == "Gentu could not be reached. Nothing was changed; try again in a moment."
    assert rows() == before


def test_a_pairing_broken_off_after_its_code_was_accepted_can_be_finished(
    shell: Shell, practice_id: str, gentu: RunningSandbox
) -> None:
    gentu.break_("error", path="/tenants/*/practitioners", status=500)
    add = ("connections", "add", "gentu", "--practice", practice_id, "--json", "--pairing-code", gentu.pairing_code())
    told = shell(*add).refuses(FAILED, "The code was accepted and is kept as connection ")
    (draft,) = shell("connections", "list", "--json").json
    assert draft["state"] == "draft"
    assert told.endswith(f"finish with: connections resume {draft['id']}")
    shell("connections", "resume", draft["id"]).refuses(FAILED, "Gentu reported a fault of its own.")
    gentu.mend()
    assert shell("connections", "resume", draft["id"], "--json").json == {"id": draft["id"], "state": "active"}
    assert len(shell("types", "list", draft["id"], "--json").json) > 0


# --- what the machine lacks -------------------------------------------------------------------------------------------


def test_a_database_that_was_never_migrated_says_what_to_run(shell: Shell, tmp_path: Path) -> None:
    shell.environ["DATABASE_URL"] = f"sqlite:///{tmp_path}/new.db"
    for words in (("connections", "list"), ("practice", "create", "--name", "X", "--timezone", "Australia/Perth")):
        told = shell(*words, "--json").refuses(FAILED)
        assert told == "The database does not match this release. Run: runsheet db upgrade"
    assert shell("db", "upgrade", "--json").json == {"upgraded": True}
    assert shell("db", "upgrade").out == "The database is up to date.\n"
    assert shell("connections", "list", "--json").json == []


@pytest.mark.parametrize(
    "url", ["postgresql://nobody@127.0.0.1:9/none?connect_timeout=2", "sqlite:////proc/nowhere/runsheet.db"]
)
def test_a_database_that_does_not_answer_is_a_sentence(shell: Shell, url: str) -> None:
    told = shell("connections", "list", DATABASE_URL=url).refuses(FAILED)
    assert told == "The database does not answer (OperationalError). Check DATABASE_URL and that it runs."


def test_a_key_that_is_missing_is_told_before_anything_is_read(shell: Shell, practice: Practice) -> None:
    other = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVowMTIzNDU="
    told = shell("connections", "test", practice.connection_id, ENCRYPTION_KEY=other).refuses(FAILED)
    assert told.startswith("This database holds values encrypted with key ")


def test_nonsense_settings_are_listed_together(shell: Shell) -> None:
    told = shell("connections", "list", PORT="http", LOG_LEVEL="loud", SECRET_KEY="dev")
    assert (told.code, told.out) == (FAILED, "")
    lines = told.err.splitlines()
    assert lines[0] == "Runsheet cannot start with these settings:"
    assert len(lines) == 4
    assert "dev" not in told.err


@pytest.mark.parametrize("command", ["worker", "scheduler", "web"])
def test_without_redis_each_process_says_so_and_ends(shell: Shell, command: str) -> None:
    told = shell(command).refuses(FAILED)
    assert told == "No Redis: set REDIS_URL, or start everything with `make run`."


@pytest.mark.parametrize("command", ["worker", "scheduler"])
def test_a_redis_that_does_not_answer_is_a_sentence(shell: Shell, command: str, tmp_path: Path) -> None:
    shell(command, REDIS_URL=f"unix://{tmp_path}/none.sock").refuses(FAILED, "Redis")


def test_switched_off_the_scheduler_says_so_and_ends_well(shell: Shell) -> None:
    told = shell("scheduler", ENABLE_SCHEDULER="false")
    assert (told.code, told.out) == (0, "")
    assert told.err == "ENABLE_SCHEDULER is off: nothing is scheduled by this process.\n"


def test_a_mistake_of_ours_is_a_sentence_without_any_value(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise ValueError("Zephyrine Quillfeather, 0491 570 156")

    monkeypatch.setattr("app.store.connections.everywhere", fails)
    told = shell("connections", "list").refuses(FAILED)
    assert told.startswith("Runsheet itself made a mistake: ValueError in cli/connections.py, line ")
    assert "Zephyrine" not in told
