"""R49: what reception sets on the sheet is told the PMS, where the practice wants it; off by default.

Against the simulated ezyVet over HTTP, which has statuses of its own that must be found by their names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
import time_machine
from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError

from app import clock
from app.domain.status import Status
from app.jobs import dispatch, queues
from app.sandbox.ezyvet import cast
from app.store import connections, outbox
from app.store.models import Appointment, OutboxEntry
from app.store.models.connection import ConnectionState
from app.store.models.outbox import OutboxState
from app.sync import telling
from app.sync.telling import Told
from app.wiring import engine
from tests.features.typed import Hospital, hospital, hospital_settings
from tests.web.pages import Page, Visit

__all__ = ["hospital", "hospital_settings"]

LATER = timedelta(minutes=3)


@pytest.fixture
def visit_id(hospital: Hospital) -> str:
    """One video consult on the sheet of a practice that lets ezyVet know who has arrived."""
    made = hospital.visits("10:30")
    hospital.lives()
    assert hospital.admin.post(hospital.at("/tells"), {"tells": ["arrived", "completed"]}).status_code == 303
    return made


def row_of(hospital: Hospital, id_: str) -> Appointment:
    with hospital.store.read() as session:
        return session.scalars(select(Appointment).where(Appointment.pms_appointment_id == id_)).one()


def sets(hospital: Hospital, id_: str, status: str, visit: Visit | None = None) -> None:
    row = row_of(hospital, id_)
    form = {"status": status, "version": str(row.row_version)}
    answer = (visit or hospital.admin).post(f"/appointments/{row.id}/status", form, htmx=True)
    assert answer.status_code == 200, answer.text


def at_ezyvet(hospital: Hospital, id_: str) -> int:
    day = hospital.clinic.today.isoformat()
    (found,) = [one for one in hospital.sandbox.read("ezyvet/book", day=day)["appointments"] if str(one["id"]) == id_]
    return int(found["status_id"])


def writes(hospital: Hospital) -> int:
    return sum(one["method"] == "PATCH" for one in hospital.sandbox.read("ezyvet/state")["log"])


def lines(hospital: Hospital) -> list[tuple[str, str, str | None]]:
    with hospital.store.read() as session:
        found = session.scalars(select(OutboxEntry).order_by(OutboxEntry.created_at)).all()
        return [(one.status, one.state, one.reason) for one in found]


@contextmanager
def minutes_later(by: timedelta = LATER) -> Iterator[None]:
    with time_machine.travel(clock.now() + by, tick=True):
        yield


def tells(hospital: Hospital, by: timedelta = LATER) -> Told:
    """What a worker does with what is due by then."""
    assert hospital.connection_id is not None
    with minutes_later(by), hospital.app.app_context():
        return telling.tell(engine(), hospital.connection_id)


def panel(hospital: Hospital, id_: str) -> Page:
    return hospital.admin.page(f"/appointments/{row_of(hospital, id_).id}")


@pytest.mark.feature("R49")
def test_a_status_is_told_once_nobody_can_undo_it_any_more(hospital: Hospital, visit_id: str) -> None:
    sets(hospital, visit_id, "arrived")
    assert tells(hospital, timedelta(0)) == Told(), "it can still be undone"
    assert "To tell ezyVet Arrived, within a few minutes." in panel(hospital, visit_id)
    assert tells(hospital) == Told(told=1)
    assert at_ezyvet(hospital, visit_id) == cast.ARRIVED
    assert re.search(r"Told ezyVet Arrived, \d\d:\d\d", panel(hospital, visit_id).text)
    assert tells(hospital) == Told()
    assert writes(hospital) == 1
    with hospital.app.app_context():
        assert engine().sync_today(hospital.connection_id).success  # type: ignore[arg-type]
    assert row_of(hospital, visit_id).pms_status == Status.ARRIVED


@pytest.mark.feature("R49")
def test_nothing_is_told_unless_the_practice_wants_it(hospital: Hospital) -> None:
    id_ = hospital.visits("10:30")
    hospital.lives()
    assert not re.search(r'name="tells"[^>]* checked', hospital.page().html)
    assert hospital.connection.tells == []
    sets(hospital, id_, "arrived")
    assert lines(hospital) == []
    assert tells(hospital) == Told()
    assert at_ezyvet(hospital, id_) == cast.NO_STATUS


@pytest.mark.feature("R49")
def test_the_form_says_what_is_told_and_takes_only_what_can_be(hospital: Hospital, visit_id: str) -> None:
    ticked = re.findall(r'value="(\w+)"( checked)?> <label for="tell-', hospital.page().html)
    assert ticked == [("confirmed", ""), ("arrived", " checked"), ("in_progress", ""), ("completed", " checked")]
    answer = hospital.admin.post(hospital.at("/tells"), {"tells": ["no_show"]})
    assert answer.status_code == 303
    assert "It cannot be told: no_show." in hospital.page()
    assert hospital.connection.tells == ["arrived", "completed"]
    nobody = hospital.visit("receptionist").post(hospital.at("/tells"), {"tells": ["confirmed"]})
    assert nobody.status_code == 403
    hospital.admin.post(hospital.at("/tells"), {})
    assert hospital.connection.tells == []


@pytest.mark.feature("R49")
def test_what_is_undone_or_overtaken_is_never_told(hospital: Hospital, visit_id: str) -> None:
    sets(hospital, visit_id, "arrived")
    sets(hospital, visit_id, "in_progress")  # which is not among what is told
    assert lines(hospital) == [("arrived", OutboxState.OVERTAKEN, None)]
    assert tells(hospital) == Told()
    assert writes(hospital) == 0
    sets(hospital, visit_id, "completed")
    assert tells(hospital) == Told(told=1)
    assert at_ezyvet(hospital, visit_id) == cast.COMPLETED, "not “OK to Check Out”, which means the same to us"


@pytest.mark.feature("R49")
def test_what_ezyvet_says_already_is_not_written_again(hospital: Hospital, visit_id: str) -> None:
    sets(hospital, visit_id, "arrived")
    hospital.sandbox.control(
        "ezyvet/write", resource="appointment", id=int(visit_id), fields={"status_id": cast.ARRIVED}
    )
    assert tells(hospital) == Told(told=1)
    assert writes(hospital) == 0


@pytest.mark.feature("R49")
def test_a_visit_called_off_there_is_left_alone_and_the_row_says_so(hospital: Hospital, visit_id: str) -> None:
    sets(hospital, visit_id, "arrived")
    hospital.sandbox.control("ezyvet/cancel", id=int(visit_id))
    assert tells(hospital) == Told(failed=1)
    assert lines(hospital) == [("arrived", OutboxState.GIVEN_UP, "moved_on")]
    told = panel(hospital, visit_id)
    assert "Not told ezyVet Arrived. In ezyVet the visit has been called off, or is over. Tell them yourself." in told
    assert writes(hospital) == 0


@pytest.mark.feature("R49")
def test_a_failure_is_tried_again_and_nothing_is_told_twice(hospital: Hospital, visit_id: str) -> None:
    sets(hospital, visit_id, "arrived")
    hospital.breaks("error", path="/v2/appointment", status=503)
    assert tells(hospital) == Told(failed=1)
    ((status, state, reason),) = lines(hospital)
    assert (status, state, reason) == ("arrived", OutboxState.WAITING, "server_error")
    assert "It is tried again." in panel(hospital, visit_id)
    hospital.mends()
    assert tells(hospital) == Told(), "not before its pause is over"
    assert tells(hospital, timedelta(minutes=15)) == Told(told=1)
    assert at_ezyvet(hospital, visit_id) == cast.ARRIVED


@pytest.mark.feature("R49")
def test_a_worker_that_dies_after_the_write_does_not_make_two_of_it(
    hospital: Hospital, visit_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sets(hospital, visit_id, "arrived")
    honest = outbox.end

    def dies(*_: object, **__: object) -> None:
        raise OperationalError("gone", None, Exception("the process is gone"))

    monkeypatch.setattr(outbox, "end", dies)
    with pytest.raises(OperationalError):
        tells(hospital)
    monkeypatch.setattr(outbox, "end", honest)
    assert writes(hospital) == 1
    assert tells(hospital) == Told(), "the line is the dead worker's for some minutes"
    assert tells(hospital, timedelta(minutes=15)) == Told(told=1)
    assert writes(hospital) == 1


@pytest.mark.feature("R49")
def test_a_site_without_such_a_word_is_told_nothing(hospital: Hospital, visit_id: str) -> None:
    for id_ in (cast.ARRIVED, cast.WAIT_LIST):
        hospital.sandbox.control("ezyvet/write", resource="appointmentstatus", id=id_, fields={"name": "Zebra"})
    sets(hospital, visit_id, "arrived")
    assert tells(hospital) == Told(failed=1)
    assert lines(hospital) == [("arrived", OutboxState.GIVEN_UP, "no_word")]


@pytest.mark.feature("R49")
def test_a_paused_connection_waits_and_a_gone_row_is_dropped(hospital: Hospital, visit_id: str) -> None:
    sets(hospital, visit_id, "arrived")
    hospital.change(state=ConnectionState.PAUSED)
    assert tells(hospital) == Told()
    with hospital.store.read() as session:
        assert outbox.due_connections(session, clock.now() + LATER) == []
    hospital.change(state=ConnectionState.ACTIVE)
    with hospital.store.write() as session:
        session.execute(update(Appointment).values(removed_at=clock.now()))
    assert tells(hospital) == Told()
    assert lines(hospital) == [("arrived", OutboxState.OVERTAKEN, None)]


@pytest.mark.feature("R49")
def test_the_tick_gives_a_worker_the_job_once(hospital: Hospital, visit_id: str) -> None:
    sets(hospital, visit_id, "arrived")
    with hospital.app.app_context():
        redis = hospital.app.extensions["runsheet.queue"].patient
    assert dispatch.nudge_telling(hospital.store, redis, timeout_s=60) == 0
    with minutes_later():
        assert dispatch.nudge_telling(hospital.store, redis, timeout_s=60) == 1
        assert dispatch.nudge_telling(hospital.store, redis, timeout_s=60) == 0
    waiting = [job for job in queues.queue(queues.INTERACTIVE, redis).jobs if job.description == "tell"]
    assert [(job.func_name, job.args) for job in waiting] == [
        ("app.jobs.tasks.tell_pms", [str(hospital.connection_id)])
    ]


@pytest.mark.feature("R49")
def test_another_practice_cannot_switch_it_on(hospital: Hospital, visit_id: str) -> None:
    other = Hospital(hospital.app, hospital.sandbox, "Somebody Else's")
    other.connection_id = hospital.connection_id
    assert other.admin.post(other.at("/tells"), {"tells": ["confirmed"]}).status_code == 404
    with hospital.store.read() as session:
        assert connections.get(session, hospital.connection_id).tells == ["arrived", "completed"]  # type: ignore[arg-type]
