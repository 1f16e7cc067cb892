"""`connections add --set` and `connections credentials` against the simulated ezyVet."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, text

from app.sandbox.ezyvet import CLIENT_ID, CLIENT_SECRET, PARTNER_ID
from tests.cli.conftest import Shell, Told
from tests.sandbox.process import RunningSandbox

Rows = Callable[[], dict[str, list[tuple[object, ...]]]]
BAD_INPUT, FAILED = 2, 4
REFUSED = (
    "ezyVet did not accept these credentials. Compare each with what ezyVet shows. Where they are right, see in ezyVet "
    "that they may read the practice."
)


class Counter:
    """The terminal of somebody who was given credentials, and the hospital they open."""

    def __init__(self, shell: Shell, practice_id: str, sandbox: RunningSandbox, folder: Path) -> None:
        self.shell, self.practice_id, self.sandbox, self.folder = shell, practice_id, sandbox, folder

    def file(self, secret: str = CLIENT_SECRET) -> str:
        """What stands after --set for a secret that lies in a file."""
        path = self.folder / f"secret-{uuid4().hex}"
        path.write_text(f"{secret}\n")
        return f"client_secret=@{path}"

    def adds(self, *given: str, practice: str | None = None, **more: str) -> Told:
        words = [part for one in given for part in ("--set", one)]
        return self.shell(
            "connections", "add", "ezyvet", "--practice", practice or self.practice_id, "--json", *words, **more
        )

    def lives(self) -> str:
        told = self.adds(f"client_id={CLIENT_ID}", self.file())
        assert told.code == 0, told
        assert told.json["state"] == "active"
        return str(told.json["id"])

    def changes(self, id_: str, *words: str, **more: str) -> Told:
        return self.shell("connections", "credentials", id_, "--json", *words, **more)

    def asked(self) -> int:
        return len(self.sandbox.read("ezyvet/state")["log"])


@pytest.fixture
def counter(shell: Shell, practice_id: str, small_clinic: RunningSandbox, tmp_path: Path) -> Counter:
    small_clinic.control("ezyvet/reset")
    small_clinic.control("ezyvet/knobs", per_endpoint=100_000, overall=100_000)
    shell.environ |= {"EZYVET_BASE_URL": small_clinic.ezyvet_url, "EZYVET_REQUESTS_PER_MINUTE": "100000"}
    return Counter(shell, practice_id, small_clinic, tmp_path)


@pytest.fixture
def rows(database_url: str) -> Rows:
    """All that a refusal must leave as it was."""

    def everything() -> dict[str, list[tuple[object, ...]]]:
        engine = create_engine(database_url)
        with engine.connect() as connection:
            told = {
                name: [tuple(row) for row in connection.execute(text(f"SELECT * FROM {name}"))]
                for name in ("pms_connections", "pms_credentials", "pms_appointment_types")
            }
        engine.dispose()
        return told

    return everything


@pytest.mark.feature("A01")
@pytest.mark.feature("E19")
def test_credentials_take_a_practice_live_without_a_code_and_it_syncs(counter: Counter) -> None:
    id_ = counter.lives()
    (listed,) = counter.shell("connections", "list", "--json").json
    assert (listed["id"], listed["pms"], listed["state"]) == (id_, "ezyvet", "active")
    assert listed["environment"] == "simulator"
    assert counter.shell("connections", "test", id_, "--json").json["healthy"]
    assert counter.shell("types", "list", id_, "--json").json
    told = counter.shell("sync", id_, "--json")
    assert (told.code, told.json["status"]) == (0, "success")


@pytest.mark.feature("A01")
def test_the_secret_may_come_on_standard_input_and_stands_nowhere(counter: Counter, database_url: str) -> None:
    told = counter.adds(f"client_id={CLIENT_ID}", "client_secret=-", stdin=f"{CLIENT_SECRET}\n")
    assert told.code == 0
    shown = counter.changes(told.json["id"])
    assert CLIENT_SECRET not in told.out + told.err + shown.out + shown.err
    engine = create_engine(database_url)
    with engine.connect() as connection:
        held = str(connection.execute(text("SELECT * FROM pms_credentials")).all())
    engine.dispose()
    assert CLIENT_SECRET not in held
    assert CLIENT_ID not in held


@pytest.mark.security("X23")
def test_what_is_wrong_is_told_by_its_name_before_anything_is_asked_or_written(counter: Counter, rows: Rows) -> None:
    before, asked = rows(), counter.asked()
    id_ = f"client_id={CLIENT_ID}"
    for given, sentence in {
        (id_, "client_secret=hunter2"): "client_secret is a secret: give it as client_secret=@file or client_secret=- "
        "(standard input).",
        (id_,): "client_secret: Client secret is needed.",
        (counter.file(),): "client_id: Client ID is needed.",
        (id_, counter.file(), "pin=7"): "ezyVet does not take pin.",
        (id_, id_, counter.file()): "client_id is given twice.",
        (id_, "client_secret=@/nowhere/at/all"): "The file for client_secret cannot be read.",
        (id_, counter.file("two\nlines")): "client_secret: This holds a line break or a character that cannot be "
        "typed. Copy it once more.",
    }.items():
        assert counter.adds(*given).refuses(BAD_INPUT) == sentence
    counter.adds(id_, counter.file(), practice=str(uuid4())).refuses(BAD_INPUT, "There is no practice")
    assert (rows(), counter.asked()) == (before, asked)


@pytest.mark.feature("A01")
def test_refused_ones_leave_nothing_behind_and_the_right_ones_go_through(counter: Counter, rows: Rows) -> None:
    before = rows()
    assert counter.adds(f"client_id={CLIENT_ID}", counter.file("wrong")).refuses(BAD_INPUT) == REFUSED
    assert rows() == before
    away = counter.adds(f"client_id={CLIENT_ID}", counter.file(), EZYVET_BASE_URL="http://127.0.0.1:9/ezyvet")
    assert away.refuses(FAILED) == "ezyVet could not be reached. Nothing was changed; try again in a moment."
    assert rows() == before
    counter.lives()
    after = rows()
    other = counter.shell("practice", "create", "--name", "Thief", "--timezone", "Australia/Perth", "--json").json["id"]
    told = counter.adds(f"client_id={CLIENT_ID}", counter.file(), practice=other)
    told.refuses(BAD_INPUT, "That practice is already connected to a Runsheet practice.")
    assert rows() == after


@pytest.mark.feature("A01")
def test_what_fails_after_they_were_accepted_is_finished_by_resume(counter: Counter) -> None:
    counter.sandbox.control("ezyvet/faults", kind="error", path="/v2/appointmenttype", status=500)
    told = counter.adds(f"client_id={CLIENT_ID}", counter.file())
    told.refuses(FAILED, "The credentials were accepted and are kept as connection ")
    (draft,) = counter.shell("connections", "list", "--json").json
    assert draft["state"] == "draft"
    counter.sandbox.control("ezyvet/faults/clear")
    assert counter.shell("connections", "resume", draft["id"], "--json").json["state"] == "active"
    assert counter.shell("sync", draft["id"]).code == 0


@pytest.mark.feature("A07")
def test_they_are_shown_without_values_and_changed_one_by_one(counter: Counter, rows: Rows) -> None:
    id_ = counter.lives()
    told = counter.changes(id_).json
    assert (told["id"], told["state"]) == (id_, "active")
    shown = {one["name"]: (one["set"], one["endsIn"]) for one in told["credentials"]}
    assert shown["client_id"] == (True, CLIENT_ID[-4:])
    assert shown["client_secret"] == (True, None)
    assert shown["partner_id"] == (False, None)
    lines = counter.shell("connections", "credentials", id_).out
    assert "client_secret  yes" in lines
    assert CLIENT_SECRET not in lines

    changed = counter.changes(id_, "--set", f"partner_id={PARTNER_ID}").json["credentials"]
    assert {one["name"] for one in changed if one["set"]} == {"client_id", "client_secret", "partner_id"}
    before, asked = rows(), counter.asked()
    assert counter.changes(id_, "--set", counter.file("wrong")).refuses(BAD_INPUT) == REFUSED
    counter.changes(id_, "--set", "division_id=2").refuses(BAD_INPUT, "Those credentials belong to another practice.")
    assert counter.asked() > asked
    asked = counter.asked()
    for words, part in {
        ("--set", "client_secret=hunter2"): "client_secret is a secret",
        ("--set", "pin=7"): "ezyVet does not take pin.",
        ("--unset", "pin"): "ezyVet does not take pin.",
        ("--unset", "client_id"): "ezyVet cannot do without client_id.",
        ("--unset", "partner_id", "--set", "partner_id=x"): "partner_id is set and unset at once.",
        ("--unset", "site_uid"): "Nothing was typed, so nothing was changed.",
    }.items():
        counter.changes(id_, *words).refuses(BAD_INPUT, part)
    assert (rows(), counter.asked()) == (before, asked)
    gone = counter.changes(id_, "--unset", "partner_id").json["credentials"]
    assert {one["name"] for one in gone if one["set"]} == {"client_id", "client_secret"}
    assert counter.shell("sync", id_).code == 0


@pytest.mark.feature("A07")
def test_a_connection_that_was_refused_heals_by_them(counter: Counter) -> None:
    id_ = counter.lives()
    counter.sandbox.control("ezyvet/tokens/expire")
    counter.sandbox.control("ezyvet/faults", kind="refuse_credentials")
    told = counter.shell("sync", id_)
    assert told.code == FAILED
    assert "An admin of this practice can enter new ones on the connection's page" in told.err
    assert counter.shell("connections", "list", "--json").json[0]["state"] == "needs_attention"
    counter.sandbox.control("ezyvet/faults/clear")
    assert counter.changes(id_, "--set", counter.file()).json["state"] == "active"
    assert counter.shell("sync", id_).code == 0


@pytest.mark.security("X21")
@pytest.mark.fault("F43")
def test_doctor_counts_what_cannot_be_decrypted_and_says_how_to_mend_it(counter: Counter, database_url: str) -> None:
    id_ = counter.lives()
    engine = create_engine(database_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE pms_credentials SET sealed = 'v1.x.y.z' WHERE name = 'client_secret'"))
    engine.dispose()
    found = {one["check"]: (one["ok"], one["message"]) for one in counter.shell("doctor", "--json").json}
    assert found["secrets"] == (
        False,
        "1 stored credential cannot be decrypted; put the earlier key back (OLD_ENCRYPTION_KEYS). Where it is lost: "
        "runsheet connections credentials CONNECTION --set ..., which stores them anew",
    )
    assert found["ezyvet"] == (True, "simulator")
    told = counter.shell("sync", id_)
    assert told.code == FAILED
    assert "The credentials stored here for ezyVet cannot be decrypted" in told.err
    assert counter.changes(id_, "--set", counter.file()).json["state"] == "active"
    found = {one["check"]: one["ok"] for one in counter.shell("doctor", "--json").json}
    assert found["secrets"]


def test_a_system_with_a_code_asks_for_none(shell: Shell, practice_id: str, gentu: RunningSandbox) -> None:
    add = ("connections", "add", "gentu", "--practice", practice_id, "--pairing-code", gentu.pairing_code(), "--json")
    id_ = shell(*add).json["id"]
    assert shell("connections", "credentials", id_).out == "Gentu asks for no credentials.\n"
    shell("connections", "credentials", id_, "--set", "key=1").refuses(BAD_INPUT, "Gentu does not take key.")
    shell("connections", "credentials", str(uuid4())).refuses(BAD_INPUT, "There is no connection")


@pytest.mark.feature("R49")
def test_what_a_pms_is_told_is_chosen_from_the_command_line(counter: Counter, shell: Shell) -> None:
    id_ = counter.lives()
    assert shell("connections", "tells", id_, "arrived", "--json").json == {"id": id_, "tells": ["arrived"]}
    refused = shell("connections", "tells", id_, "no_show")
    assert refused.code == BAD_INPUT
    assert "It cannot be told: no_show." in refused.err
    assert "is told nothing" in shell("connections", "tells", id_).out
