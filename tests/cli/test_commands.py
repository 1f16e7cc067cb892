"""What each command prints when all is well: one JSON value of a fixed shape for programs, plain lines for people."""

from __future__ import annotations

import os
import re
import signal
import socket
import stat
import threading
import time
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import event

from app import clock
from app.cli.sync import cancelled_by_ctrl_c
from app.store import sync_runs
from app.store.models.sync import Trigger
from app.store.sync_runs import Claim
from tests.cli.conftest import PASSWORD, Shell
from tests.jobs.living import Practice
from tests.sandbox.process import RunningSandbox

INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
INCOMPLETE, FAILED = 3, 4
NO_REDIS = "No Redis: the vendor's limit is kept by this process alone.\n"


def is_instant(text: str) -> bool:
    return bool(INSTANT.fullmatch(text)) and datetime.fromisoformat(text) is not None


# --- setting up -------------------------------------------------------------------------------------------------------


def test_a_practice_and_its_people(shell: Shell) -> None:
    practice = shell("practice", "create", "--name", " Banksia  Ridge ", "--timezone", "Australia/Eucla", "--json")
    assert practice.code == 0
    assert list(practice.json) == ["id"]
    id_ = practice.json["id"]
    told = shell("practice", "create", "--name", "Other", "--timezone", "Pacific/Chatham")
    assert re.fullmatch(r"Other is practice [0-9a-f-]{36}\n", told.out)
    for role in ("receptionist", "clinician", "admin", "owner"):
        words = ("user", "create", "--practice", id_, "--email", f"{role}@b.example", "--role", role)
        made = shell(*words, "--password-stdin", "--json", stdin=f"{PASSWORD}\n")
        assert list(made.json) == ["id"]
        assert UUID(made.json["id"])
        assert PASSWORD not in made.out + made.err


def test_a_connection_from_its_draft_to_its_resumption(shell: Shell, practice_id: str, gentu: RunningSandbox) -> None:
    add = ("connections", "add", "Gentu", "--practice", practice_id, "--name", "Front desk", "--json")
    draft = shell(*add).json
    assert draft == {"id": draft["id"], "state": "draft"}
    made = shell(*add, "--pairing-code", gentu.pairing_code()).json
    assert made == {"id": made["id"], "state": "active"}
    listed = shell("connections", "list", "--practice", practice_id, "--json").json
    assert shell("connections", "list", "--json").json == listed
    assert [one["state"] for one in listed] == ["draft", "active"]
    assert is_instant(listed[1]["nextDueAt"])
    assert listed[1] == {
        "id": made["id"],
        "pms": "gentu",
        "name": "Front desk",
        "state": "active",
        "environment": "simulator",
        "lastSweepAt": None,
        "nextDueAt": listed[1]["nextDueAt"],
    }
    health = shell("connections", "test", made["id"], "--json").json
    assert health == {"healthy": True, "message": health["message"], "latencyMs": health["latencyMs"]}
    assert shell("connections", "test", made["id"]).out == f"{health['message']}\n"

    assert shell("connections", "pause", made["id"], "--json").json == {"id": made["id"], "state": "paused"}
    assert shell("connections", "list", "--json").json[1]["nextDueAt"] is None
    shell("connections", "pause", made["id"]).refuses(2, "Only a connection that syncs can be paused.")
    shell("sync", made["id"]).refuses(2, "This connection is paused. Resume it first, then it can sync.")
    assert shell("connections", "resume", made["id"]).out == "Front desk: active\n"


def test_a_connection_that_does_not_answer_says_why(practice: Practice, shell: Shell) -> None:
    assert practice.sandbox is not None
    practice.sandbox.break_("outage")
    told = shell("connections", "test", practice.connection_id, "--json")
    assert told.code == FAILED
    assert told.json["healthy"] is False
    assert told.err == f"{told.json['message']}\n"
    shell("connections", "test", practice.connection_id).refuses(FAILED, "could not be reached")


def test_mapping_and_choosing_types_before_any_sync(shell: Shell, practice_id: str, gentu: RunningSandbox) -> None:
    add = ("connections", "add", "gentu", "--practice", practice_id, "--json", "--pairing-code", gentu.pairing_code())
    id_ = shell(*add).json["id"]
    shown = [one for one in gentu.state()["tenants"][0]["practitioners"] if one["active"] and one["shown"]]
    mapped = shell("clinicians", "map", id_, "--all", "--json").json
    assert mapped == {"mapped": len(shown), "created": len(shown)}
    assert shell("clinicians", "map", id_, "--all", "--json").json == {"mapped": 0, "created": 0}
    known = shell("types", "list", id_, "--json").json
    assert [set(one) for one in known] == [{"id", "pmsTypeId", "name", "isTelehealth", "syncEnabled"}] * len(known)
    assert not any(one["isTelehealth"] for one in known)  # suggested with a reason, never ticked
    first, second, *rest = known
    chosen = shell("types", "set", id_, "--telehealth", f"{first['id']},{second['pmsTypeId']}", "--json").json
    assert [one["isTelehealth"] for one in chosen] == [True, True] + [False] * len(rest)
    for everything in (("--all",), ("--telehealth", "--all")):
        shell("types", "set", id_, "--telehealth", "")
        told = shell("types", "set", id_, *everything).out
        assert told == f"{len(known)} of {len(known)} types are telehealth.\n"
    assert shell("types", "set", id_, "--telehealth", "").out == f"0 of {len(known)} types are telehealth.\n"


# --- sync -------------------------------------------------------------------------------------------------------------


def test_a_sync_as_a_program_reads_it(practice: Practice, shell: Shell) -> None:
    practice.books(3)
    told = shell("sync", practice.connection_id, "--json")
    assert (told.code, told.err) == (0, NO_REDIS)
    result = told.json
    inbound = result["phases"]["inbound"]
    assert {"success", "status", "syncId", "connectionId", "phases", "durationMs"} <= set(result)
    assert (result["success"], result["status"]) == (True, "success")
    assert result["connectionId"] == str(practice.connection_id)
    assert result["syncId"] == str(practice.runs()[0].id)
    assert isinstance(result["durationMs"], int)
    assert "joined" not in result
    counts = {name: inbound[name] for name in ("fetched", "created", "updated", "unchanged", "removed", "quarantined")}
    assert counts == {"fetched": 3, "created": 3, "updated": 0, "unchanged": 0, "removed": 0, "quarantined": 0}
    assert (inbound["complete"], inbound["skipped"]) == (True, {})
    assert isinstance(inbound["durationMs"], int)
    again = shell("sync", practice.connection_id, "--json").json["phases"]["inbound"]
    assert (again["created"], again["updated"], again["unchanged"]) == (0, 0, 3)
    full = shell("sync", practice.connection_id, "--full", "--phase", "inbound", "--json").json
    assert list(full["phases"]) == ["inbound"]
    practice.stands_as_in_the_pms()


@pytest.mark.feature("E08")
def test_reconciliation_by_itself_and_what_it_leaves_to_a_person(practice: Practice, shell: Shell) -> None:
    """`--phase reconciliation` under both its names; a hold listed, kept, taken back and released."""
    practice.books(10)
    shell("sync", practice.connection_id)
    ids = [str(row.pms_appointment_id) for row in practice.rows()]
    practice.sandbox.control(f"appointments/{ids[0]}/delete")
    told = shell("sync", practice.connection_id, "--phase", "reconciliation", "--json").json
    assert list(told["phases"]) == ["reconciliation"]
    assert told["phases"]["reconciliation"]["removed"] == 1
    for id_ in ids[1:7]:
        practice.sandbox.control(f"appointments/{id_}/delete")
    held = shell("sync", practice.connection_id, "--phase", "reconcile", "--json")
    assert (held.code, held.json["reason"]) == (3, "removal_held")
    assert shell("history", practice.connection_id, "--json").json[0]["removed"] == 0
    (hold,) = shell("holds", "list", practice.connection_id, "--json").json
    assert (hold["state"], hold["vanished"], hold["of"], set(hold["candidates"])) == ("open", 6, 9, set(ids[1:7]))
    for asked in ((), ("--practice", practice.id), (practice.connection_id, "--practice", practice.id)):
        assert shell("holds", "list", *asked, "--json").json == [hold]
    assert str(practice.connection_id) in shell("holds", "list").out  # of several connections one wants to know which
    other = ("--name", "Another Practice", "--timezone", "Australia/Perth")
    elsewhere = shell("practice", "create", *other, "--json").json["id"]
    assert shell("holds", "list", "--practice", elsewhere, "--json").json == []
    unclear = shell("holds", "list")
    assert (unclear.code, unclear.err) == (2, "There are 2 practices: name a connection, or one with --practice.\n")
    assert shell("holds", "list", practice.connection_id, "--practice", elsewhere).code == 2
    assert shell("holds", "keep", hold["id"]).out == "Kept.\n"
    assert shell("holds", "undo", hold["id"]).out == "Taken back; 0 stand again.\n"
    assert shell("holds", "release", hold["id"], "--json").json == {"state": "released", "removed": 6}
    assert {str(row.pms_appointment_id) for row in practice.rows() if row.removed_at} == set(ids[:7])
    again = shell("holds", "release", hold["id"])
    assert (again.code, again.err) == (2, "This removal is no longer open.\n")


def test_a_sync_as_a_person_reads_it(practice: Practice, shell: Shell) -> None:
    practice.books(2)
    told = shell("sync", practice.connection_id, "--from", "today", "--to", "tomorrow")
    assert told.code == 0
    *_, inbound, removals, last = told.out.splitlines()
    assert inbound == "inbound: 2 fetched, 2 new, 0 changed, 0 the same"
    assert removals == "reconciliation: 0 removed"
    assert re.fullmatch(r"Gentu: success in .+", last)
    (run,) = practice.runs()
    assert run.window_to - run.window_from == timedelta(days=1)


def test_the_sheet_of_a_day(practice: Practice, shell: Shell) -> None:
    ids = practice.books(2)
    shell("sync", practice.connection_id)
    sheet = shell("sheet", "today", "--practice", practice.id, "--json").json
    assert (sheet["day"], sheet["timezone"]) == (practice.today, "Australia/Melbourne")
    assert isinstance(sheet["version"], int)
    assert sheet["hidden"] == {}
    (group,) = [one for one in sheet["groups"] if one["rows"]]
    assert set(group["clinician"]) == {"id", "name"}
    row = group["rows"][0]
    assert {one["pmsAppointmentId"] for one in group["rows"]} == set(ids)
    assert {
        "id", "pmsAppointmentId", "startsAt", "endsAt", "minutes", "patientName", "status", "pmsStatus", "typeName",
        "isTelehealth", "removedAt",
    } <= set(row)  # fmt: skip
    assert (row["status"], row["isTelehealth"], row["removedAt"]) == ("booked", True, None)
    assert row["pmsStatus"] == "none"  # the vendor's own word, whatever we made of it
    assert is_instant(row["startsAt"])
    lines = shell("sheet", practice.today, "--practice", practice.id).out.splitlines()
    assert lines[-1] == "2 appointments"
    assert sum(row["patientName"] in line for line in lines) >= 1


def test_the_history_of_a_connection(practice: Practice, shell: Shell) -> None:
    assert shell("history", practice.connection_id, "--json").json == []
    assert shell("history", practice.connection_id).out == "Never synced.\n"
    practice.books(1)
    first = shell("sync", practice.connection_id, "--json").json
    second = shell("sync", practice.connection_id, "--json").json
    told = shell("history", practice.connection_id, "--json").json
    assert [one["syncId"] for one in told] == [second["syncId"], first["syncId"]]
    assert shell("history", practice.connection_id, "--limit", "1", "--json").json == told[:1]
    run = told[1]
    assert {name: run[name] for name in ("status", "reason", "trigger", "fetched", "created", "attempt")} == {
        "status": "success", "reason": None, "trigger": "command", "fetched": 1, "created": 1, "attempt": 1,
    }  # fmt: skip
    assert is_instant(run["startedAt"])
    assert is_instant(run["completedAt"])
    lines = shell("history", practice.connection_id).out.splitlines()
    assert lines[0].split() == [
        "started",
        "status",
        "reason",
        "trigger",
        "fetched",
        "created",
        "updated",
        "unchanged",
        "removed",
        "skipped",
    ]
    assert len(lines) == 3


@pytest.mark.parametrize(
    ("fault", "code", "status", "sentence"),
    [
        ({"kind": "poison", "record": "no_start"}, INCOMPLETE, "partial", "could not be read and were set aside"),
        ({"kind": "rate_limited", "retry_after": 1200}, INCOMPLETE, "deferred", "asked us to slow down"),
        ({"kind": "refuse_credentials"}, FAILED, "failed", "refuses our credentials"),
        ({"kind": "unprovisioned"}, FAILED, "failed", "has not finished setting our app up"),
    ],
)
def test_how_a_sync_ended_is_its_exit_code_and_a_sentence(
    practice: Practice, shell: Shell, fault: dict[str, object], code: int, status: str, sentence: str
) -> None:
    assert practice.sandbox is not None
    practice.books(20, every_minutes=10)
    if fault["kind"] == "refuse_credentials":
        practice.forgets_its_token()
    practice.sandbox.control("faults", **fault)
    told = shell("sync", practice.connection_id, "--json")
    assert (told.code, told.json["status"], told.json["success"]) == (code, status, False)
    said = told.err.removeprefix(NO_REDIS)
    assert said.startswith((f"{status}: Gentu ", f"{status}: Some records from Gentu "))
    assert sentence in said
    assert said.count("\n") == 1


def test_without_redis_or_with_one_that_is_away_the_limit_s_keeper_is_named(
    practice: Practice, shell: Shell, tmp_path: Path, redis_url: str
) -> None:
    sync = ("sync", practice.connection_id, "--json")
    assert shell(*sync).err == NO_REDIS
    away = shell(*sync, REDIS_URL=f"unix://{tmp_path}/none.sock")
    assert away.code == 0
    assert away.err == "Redis does not answer: this process keeps to its own small part of the vendor's limit.\n"
    assert shell(*sync, REDIS_URL=redis_url).err == ""


# --- runs of others ---------------------------------------------------------------------------------------------------


def held_by(practice: Practice, host: str, pid: int, at: datetime | None = None) -> Claim:
    ask = practice.ask(Trigger.SCHEDULE)
    with practice.store.write() as session:
        answer = sync_runs.request(session, ask, clock.now())
    with practice.store.write() as session:
        claim = sync_runs.claim(session, answer.run_id, at or clock.now(), host, pid)
    assert claim is not None
    return claim


def test_a_run_whose_process_on_this_host_is_dead_is_taken_over_at_once(practice: Practice, shell: Shell) -> None:
    practice.books(2)
    held_by(practice, socket.gethostname(), 4_000_000)
    told = shell("sync", practice.connection_id, "--json")
    assert told.code == 0
    lost = next(run for run in practice.runs() if (run.state, run.reason) == ("abandoned", "lost"))
    assert lost.completed_at - lost.heartbeat_at < sync_runs.LEASE  # nobody waited for it to run out
    assert practice.run(UUID(told.json["syncId"])).appointments_created == 2
    practice.stands_as_in_the_pms()


def test_a_run_on_another_host_is_relieved_when_its_lease_has_run_out(practice: Practice, shell: Shell) -> None:
    practice.books(2)
    held_by(practice, "elsewhere", 4_000_000, clock.now() - sync_runs.LEASE + timedelta(seconds=1))
    told = shell("sync", practice.connection_id, "--json")
    assert told.code == 0
    assert ("abandoned", "lost") in practice.states()
    practice.stands_as_in_the_pms()


def test_a_run_elsewhere_that_covers_the_wish_is_followed_and_its_result_told(practice: Practice, shell: Shell) -> None:
    practice.books(2)
    claim = held_by(practice, "elsewhere", 4_000_000)
    carried_out = threading.Timer(0.5, practice.parts.engine.execute, (claim,))
    carried_out.start()
    told = shell("sync", practice.connection_id, "--json")
    carried_out.join(20)
    assert told.code == 0
    assert told.json["joined"] is True
    assert told.json["syncId"] == str(claim.run_id)
    assert told.json["phases"]["inbound"]["created"] == 2
    assert practice.states() == [("success", None)]


# A connection to the vendor that was being opened just then is closed by the collector, which says so.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_ctrl_c_ends_the_run_as_cancelled(practice: Practice, shell: Shell) -> None:
    """Nobody has to wait for its lease, and no worker takes it up again."""
    assert practice.sandbox is not None
    practice.books(2)
    practice.sandbox.break_("slow", path="/tenants/*/appointments", ms=1500)

    def press() -> None:
        deadline = time.monotonic() + 20
        while practice.states() != [("running", None)] and time.monotonic() < deadline:
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=press).start()
    told = shell("sync", practice.connection_id, "--json", REDIS_URL=practice.environ["REDIS_URL"])
    assert (told.code, told.out, told.err.strip()) == (FAILED, "", "Stopped.")
    assert practice.states() == [("cancelled", "cancelled")]
    practice.sandbox.mend()
    assert shell("sync", practice.connection_id, "--json").code == 0


def test_ctrl_c_in_the_middle_of_a_statement_waits_for_its_end(practice: Practice) -> None:
    """A connection that is left in mid-statement can neither be rolled back nor used again."""
    held_by(practice, socket.gethostname(), os.getpid())
    seen: list[str] = []

    def pressed(*_: object) -> None:
        if not seen:
            seen.append("pressed")
            os.kill(os.getpid(), signal.SIGINT)

    event.listen(practice.store.engine, "before_cursor_execute", pressed)
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), cancelled_by_ctrl_c(practice.parts):
        practice.runs()
        seen.append("answered")
        while True:
            time.sleep(0.01)
    assert seen == ["pressed", "answered"]
    assert practice.states() == [("cancelled", "cancelled")]
    assert signal.getsignal(signal.SIGINT) == before


def test_what_a_command_makes_belongs_to_its_owner_alone(shell: Shell) -> None:
    shell("connections", "list")
    home = Path(shell.environ["RUNSHEET_HOME"])
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
