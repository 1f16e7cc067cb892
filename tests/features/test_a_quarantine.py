"""Records that could not be read, on the pages, against the simulated Gentu: seen, tried again, settled, wiped."""

from __future__ import annotations

import logging
import re
from datetime import date, timedelta
from uuid import UUID, uuid4

import pytest
from redis import Redis
from sqlalchemy import select

from app import clock
from app.jobs import upkeep
from app.store import retention
from app.store.models import Appointment, AppointmentEvent, Practice, QuarantinedRecord, RunSheet
from app.store.models.sync import RunState
from tests.web.pages import Page
from tests.web.world import World

FENNICK = {"family": "Fennick", "given": "Ines", "phone": "0491 570 156"}
#: What the record holds, and no page, address or log line may.
SECRETS = ("quarter to eleven", "Fennick", "0491 570")


def records(world: World) -> list[QuarantinedRecord]:
    with world.store.read() as session:
        mine = select(QuarantinedRecord).where(QuarantinedRecord.practice_id == world.clinic.id)
        return list(session.scalars(mine.order_by(QuarantinedRecord.first_seen_at)))


def at(record: QuarantinedRecord, rest: str = "") -> str:
    return f"/quarantine/{record.id}{rest}"


def breaks(world: World, external_id: str, start: str = "quarter to eleven") -> None:
    world.sandbox.control("raw", id=external_id, fields={"startAt": start})


def mends(world: World, external_id: str, day: date | None = None) -> None:
    breaks(world, external_id, world.clinic.instant("10:45", day).isoformat(timespec="milliseconds"))


def moves(world: World, external_id: str) -> date:
    """To a day that no sync here reads."""
    later = world.clinic.today + timedelta(days=30)
    world.sandbox.control(f"appointments/{external_id}/move", day=later.isoformat(), time="10:45")
    return later


def syncs(world: World) -> None:
    """Somebody presses, long enough after the last one."""
    with world.store.write() as session:
        for run in world.runs:
            session.get_one(type(run), run.id).completed_at = clock.now() - timedelta(minutes=2)
    assert world.presses().status_code == 200
    assert world.works()


def rows(world: World) -> set[str | None]:
    with world.store.read() as session:
        return set(session.scalars(select(Appointment.pms_appointment_id)))


@pytest.fixture
def bad(world: World) -> str:
    """A practice that is live, with one record that cannot be read and one that can; the bad one's id."""
    world.books("10:30")
    found = world.books("10:45", patient=FENNICK)
    breaks(world, found)
    world.lives()
    return found


@pytest.mark.feature("A24")
def test_a_record_is_listed_with_its_place_the_reason_its_age_and_what_it_means(world: World, bad: str) -> None:
    (record,) = records(world)
    page = world.admin.page("/quarantine")
    assert f"Appointment {bad}" in page
    assert "A value makes no sense" in page
    assert "Where: $.startAt" in page
    assert "This appointment is not on the sheet. Look it up in Gentu by its id." in page
    assert re.search(r"Open for \d+ (s|min) first met [\d:]+ met in 1 sync, last [\d:]+", page.text)
    own = world.admin.page(at(record))
    assert "Id in Gentu " + bad in own
    assert "Open it" in own
    for one in (page, own):
        for secret in (*SECRETS, record.payload or ""):
            assert secret not in one.html
    assert "Every record can be read" in world.admin.page(f"/quarantine?connection={world.connection_id}&page=2")
    assert "Nothing has been resolved yet" in world.admin.page("/quarantine?state=resolved")


@pytest.mark.feature("A24")
def test_the_page_is_reached_from_the_connection_the_run_and_the_sheet(world: World, bad: str) -> None:
    (record,) = records(world)
    list_ = f'href="/quarantine?connection={world.connection_id}"'
    assert list_ in world.page().html
    assert "1 record could not be read. Set aside, encrypted, since" in world.page()
    assert f'href="{at(record)}"' in world.admin.page(f"/sync-history/{world.runs[0].id}").html
    assert list_ in world.sheet.html
    reception = world.visit("receptionist").page("/run-sheet")
    assert "1 record of Gentu cannot be read" in reception
    assert "Compare with Gentu itself; an admin can see which." in reception
    assert "/quarantine" not in reception.html
    assert bad not in reception.html


@pytest.mark.promise("P15")
def test_trying_again_brings_the_row_once_it_can_be_read_and_resolves_the_record(world: World, bad: str) -> None:
    (record,) = records(world)
    assert world.admin.post(at(record, "/retry")).status_code == 303
    assert "will be tried again with the next sync" in world.admin.page(at(record))
    world.works()
    (record,) = records(world)
    assert (record.resolved_at, record.seen, record.asked_again_at) == (None, 2, None)

    mends(world, bad)
    assert world.admin.post(at(record, "/retry")).status_code == 303
    world.works()
    (record,) = records(world)
    assert record.resolution == "read"
    assert bad in rows(world)
    assert "Ines Fennick" in world.sheet
    page = world.admin.page(at(record))
    assert "Could be read" in page
    assert "Try again" not in page
    assert "Appointment" in world.admin.page("/quarantine?state=resolved")
    assert world.runs[0].state == RunState.SUCCESS


@pytest.mark.promise("P15")
def test_a_record_of_another_day_is_asked_for_by_its_id(world: World, bad: str) -> None:
    """It no longer comes with the days that are read: only the id is left to ask for."""
    (record,) = records(world)
    later = moves(world, bad)
    mends(world, bad, later)
    syncs(world)
    assert records(world)[0].resolved_at is None
    assert asked_for(world, bad) == 0, "nobody asked for it"
    assert world.admin.post(at(record, "/retry")).status_code == 303
    world.works()
    (record,) = records(world)
    assert record.resolution == "read"
    assert "Ines Fennick" in world.admin.page(f"/run-sheet/{later}")
    assert asked_for(world, bad) == 1


@pytest.mark.promise("P15")
def test_a_new_mapper_asks_once_for_what_an_older_one_set_aside_and_the_sweep_does_not_bring(
    world: World, bad: str
) -> None:
    moves(world, bad)
    syncs(world)
    assert asked_for(world, bad) == 0
    with world.store.write() as session:
        session.get_one(QuarantinedRecord, records(world)[0].id).read_by = "0.0"
    syncs(world)
    syncs(world)
    assert asked_for(world, bad) == 1, "once: it still cannot be read"
    (record,) = records(world)
    assert record.resolved_at is None
    assert record.tried_at is not None
    assert "asked for by its id" in world.admin.page(at(record))


@pytest.mark.promise("P15")
def test_what_the_vendor_knows_no_more_is_resolved_as_gone(world: World, bad: str) -> None:
    (record,) = records(world)
    world.sandbox.control(f"appointments/{bad}/delete")
    world.admin.post(at(record, "/retry"))
    world.works()
    assert records(world)[0].resolution == "gone"
    assert "Gone" in world.admin.page(at(record))


@pytest.mark.fault("F34")
def test_poison_that_comes_with_each_sync_is_told_once_not_fetched_by_itself_and_shows_its_age(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    bad = world.books("10:45", patient=FENNICK)
    world.lives()
    assert bad in rows(world)
    breaks(world, bad)
    caplog.set_level(logging.INFO, logger="app")
    syncs(world)
    told = [line for line in caplog.records if line.message == "records were set aside"]
    assert len(told) == 1
    for _ in range(3):
        syncs(world)
    assert [line for line in caplog.records if line.message == "records were set aside"] == told, "told once"
    assert asked_for(world, bad) == 0, "it is there: nobody need ask for it by its id"
    (record,) = records(world)
    assert record.seen == 4
    assert 'class="notice warn" id="n-unreadable' in world.sheet.html
    ages(world, record, timedelta(days=3))
    page = world.admin.page("/quarantine")
    assert "Open for 3 days" in page
    assert "met in 4 syncs" in page
    assert "The sheet shows this appointment as it was last read" in page
    assert 'class="notice info" id="n-unreadable' in world.sheet.html, "no news any more, and not forgotten either"


@pytest.mark.fault("F34")
def test_a_record_somebody_resolved_stays_so_until_it_comes_in_another_form(world: World, bad: str) -> None:
    (record,) = records(world)
    refused = world.admin.post(at(record, "/resolve"), {"because": " "})
    assert refused.status_code == 422
    assert "Say why, for whoever looks at it later." in refused.text
    assert world.admin.post(at(record, "/resolve"), {"because": "Test booking of  the vendor"}).status_code == 303
    page = world.admin.page(at(record))
    assert re.search(r"Ignored, [\d:]+, by Admin Ash\. “Test booking of the vendor”", page.text)
    assert "cannot be read" not in world.sheet
    syncs(world)
    assert world.runs[0].state == RunState.SUCCESS, "what is settled makes no run partial"
    assert world.runs[0].appointments_quarantined == 1
    assert records(world)[0].resolution == "ignored"
    breaks(world, bad, "eleven or so")
    syncs(world)
    (record,) = records(world)
    assert (record.resolution, record.resolved_because, record.resolved_by) == (None, None, None)
    assert world.runs[0].state == RunState.PARTIAL
    page = world.admin.page(at(record))
    assert "since then it comes in the present form" in page
    world.admin.post(at(record, "/resolve"), {"because": "Again"})
    world.admin.post(at(record, "/reopen"))
    assert "Open for" in world.admin.page(at(record))
    assert "Only a record somebody chose to ignore" in follow(world, at(record, "/reopen"))


@pytest.mark.security("X26")
@pytest.mark.feature("O09")
def test_what_was_sent_is_shown_on_a_press_alone_as_text_and_the_press_is_written_down(
    world: World, bad: str, caplog: pytest.LogCaptureFixture
) -> None:
    (record,) = records(world)
    assert world.admin.get(at(record, "/payload")).status_code == 405
    caplog.set_level(logging.INFO, logger="app")
    answer = world.admin.post(at(record, "/payload"))
    assert answer.headers["Cache-Control"] == "no-store"
    page = Page(answer.text)
    assert "quarter to eleven" in page
    assert "This is patient data." in page
    (line,) = [line for line in caplog.records if getattr(line, "event", "") == "quarantine_opened"]
    assert (line.record_id, line.user_id) == (str(record.id), str(world.clinic.people["admin"].id))  # type: ignore[attr-defined]
    for one in caplog.records:
        for secret in SECRETS:
            assert secret not in f"{one.__dict__}"


@pytest.mark.fault("F33")
def test_markup_in_what_was_sent_does_nothing(world: World) -> None:
    found = world.books("10:45", patient=FENNICK)
    breaks(world, found, "<script>alert(1)</script><b>now</b>")
    world.lives()
    answer = world.admin.post(at(records(world)[0], "/payload"))
    assert "<script>alert" not in answer.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in answer.text


@pytest.mark.security("X13")
@pytest.mark.parametrize("role", ["receptionist", "clinician"])
def test_only_admins_see_and_settle_them(world: World, bad: str, role: str) -> None:
    (record,) = records(world)
    visit = world.visit(role)
    for path in ("/quarantine", at(record)):
        assert visit.get(path).status_code == 403
    for press in ("/payload", "/retry", "/resolve", "/reopen"):
        assert visit.post(at(record, press), {"because": "x"}).status_code == 403
    assert records(world)[0].resolved_at is None


@pytest.mark.security("X14")
def test_another_practices_record_does_not_exist(world: World, bad: str) -> None:
    (record,) = records(world)
    other = World(world.app, world.sandbox, "Ironbark Street Clinic")
    assert other.admin.get(at(record)).status_code == 404
    for press in ("/payload", "/retry", "/resolve", "/reopen"):
        assert other.admin.post(at(record, press), {"because": "x"}).status_code == 404
    assert other.admin.get(f"/quarantine?connection={world.connection_id}").status_code == 404
    assert bad not in other.admin.page("/quarantine").html
    assert (records(world)[0].resolved_at, records(world)[0].asked_again_at) == (None, None)


@pytest.mark.feature("A29")
def test_what_was_sent_is_wiped_when_the_practices_limit_has_passed_and_the_record_stays(
    world: World, bad: str, redis_url: str
) -> None:
    with world.store.write() as session:
        retention.change(session, world.clinic.id, payloads=7)
    redis = Redis.from_url(redis_url)

    def passes() -> int:
        redis.delete(upkeep.DONE)
        return upkeep.wipe(world.store, redis)

    assert passes() == 0
    assert upkeep.wipe(world.store, redis) == 0, "not with every tick"
    ages(world, records(world)[0], timedelta(days=7, minutes=1))
    assert passes() == 1
    (record,) = records(world)
    assert (record.payload, record.path, record.reason) == (None, "$.startAt", "invalid")
    page = world.admin.page(at(record))
    assert "Wiped: it is kept 7 days." in page
    assert "Open it" not in page
    assert "Wiped: it is kept 7 days." in Page(world.admin.post(at(record, "/payload")).text)
    syncs(world)
    assert records(world)[0].payload is None, "unchanged, it is not kept once more"
    breaks(world, bad, "eleven or so")
    syncs(world)
    assert "eleven or so" in Page(world.admin.post(at(record, "/payload")).text)


@pytest.mark.feature("A29")
def test_what_events_tell_of_a_person_is_wiped_with_the_limit_and_that_something_changed_stays(world: World) -> None:
    visit = world.books("10:30", patient=FENNICK, comment="Prefers mornings")
    world.lives()
    world.sandbox.control("raw", id=visit, fields={"comment": "Prefers afternoons", "status": "confirmed"})
    syncs(world)
    with world.store.read() as session:
        row = session.scalars(select(Appointment)).one()
    note = {"note": "Rang from Fennick Lane", "version": str(row.row_version)}
    assert world.admin.post(f"/appointments/{row.id}/note", note, htmx=True).status_code == 200
    assert events_say(world, "Prefers", "Fennick Lane")
    with world.store.write() as session:
        assert retention.wipe(session, session.get_one(Practice, world.clinic.id), clock.now()) == retention.Wiped()
        sheet = session.get_one(RunSheet, row.run_sheet_id)
        sheet.day -= timedelta(days=366)
        version = sheet.version
    passed = [wiped(world) for _ in range(2)]
    assert [one.sheets for one in passed] == [1, 0]
    assert not events_say(world, "Prefers", "Fennick")
    with world.store.read() as session:
        sheet = session.get_one(RunSheet, row.run_sheet_id)
        assert (sheet.version, sheet.details_wiped_version) == (version, version), "replay can say so"
    page = world.admin.page(f"/appointments/{row.id}")
    assert "changed the note" in page
    assert "status Confirmed, was Booked" in page
    assert "comment changed" in page
    with world.store.read() as session:
        newer = session.get_one(Appointment, row.id)
    note = {"note": "Fennick again", "version": str(newer.row_version)}
    assert world.admin.post(f"/appointments/{row.id}/note", note, htmx=True).status_code == 200
    assert wiped(world).sheets == 1, "what changes later on such a day is wiped as well"
    assert not events_say(world, "Fennick")
    with world.store.read() as session:
        assert session.get_one(Appointment, row.id).staff_note == "Fennick again", "the row itself stays as it is"


@pytest.mark.feature("A29")
def test_a_pass_is_bounded_and_the_next_one_goes_on(world: World, bad: str, redis_url: str) -> None:
    (record,) = records(world)
    columns = {column.key: getattr(record, column.key) for column in QuarantinedRecord.__table__.columns}
    old = {"payload_at": clock.now() - timedelta(days=31), "external_id": None}
    most = retention.PAYLOADS_AT_ONCE
    with world.store.write() as session:
        for number in range(most + 1):
            new = {"id": uuid4(), "payload_hash": number.to_bytes(32, "big")}
            session.add(QuarantinedRecord(**columns | old | new))
    redis = Redis.from_url(redis_url)
    redis.delete(upkeep.DONE)
    assert [upkeep.wipe(world.store, redis) for _ in range(3)] == [most, 1, 0]


def test_a_practice_of_another_setting_keeps_its_own(world: World, bad: str) -> None:
    other = World(world.app, world.sandbox, "Ironbark Street Clinic")
    with world.store.write() as session:
        retention.change(session, other.clinic.id, payloads=1)
    ages(world, records(world)[0], timedelta(days=20))
    assert wiped(other).payloads == 0
    assert wiped(world).payloads == 0
    assert records(world)[0].payload is not None


# --- helpers ----------------------------------------------------------------------------------------------------------


def asked_for(world: World, external_id: str) -> int:
    """How often the simulator was asked for this very appointment."""
    log = world.sandbox.state(log=1000)["log"]
    return sum(one["path"].endswith(f"/appointments/{external_id}") for one in log)


def wiped(world: World) -> retention.Wiped:
    with world.store.write() as session:
        return retention.wipe(session, session.get_one(Practice, world.clinic.id), clock.now())


def events_say(world: World, *words: str) -> bool:
    """Whether the events hold any of these words."""
    with world.store.read() as session:
        told = [str(event.changes) for event in session.scalars(select(AppointmentEvent))]
    return any(word in one for word in words for one in told)


def ages(world: World, record: QuarantinedRecord, span: timedelta) -> None:
    with world.store.write() as session:
        kept = session.get_one(QuarantinedRecord, UUID(str(record.id)))
        for name in ("first_seen_at", "opened_at", "payload_at"):
            setattr(kept, name, getattr(kept, name) - span)


def follow(world: World, path: str) -> Page:
    """Press, and read the page that follows."""
    answer = world.admin.post(path)
    assert answer.status_code == 303
    return world.admin.page(answer.headers["Location"])
