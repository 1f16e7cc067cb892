"""M14: the sheet as it stood at any minute, asked of the command line; what each sync left is the proof."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from app import clock
from app.domain.status import Status
from app.store import catalogue, choices, connections, history, practices, rows
from app.store.models import User
from tests.features.test_cli import in_a_process, runsheet
from tests.jobs.living import Practice
from tests.sandbox.process import RunningSandbox


class Desk:
    """A practice whose every sync is followed by a look at the sheet."""

    def __init__(self, practice: Practice, sandbox: RunningSandbox) -> None:
        self.practice, self.sandbox = practice, sandbox
        self.looks: list[tuple[datetime, Any]] = []
        with practice.store.write() as session:
            user = User(email="robin@example.com", name="Robin Reception", password_hash="x")
            session.add(user)
            session.flush()
            self.user_id = user.id

    def sheet(self, *more: str, day: str = "") -> Any:
        words = ("sheet", day or self.practice.today, "--practice", self.practice.id, *more)
        return runsheet(self.practice.environ, *words)

    def syncs(self) -> None:
        assert runsheet(self.practice.environ, "sync", self.practice.connection_id)["success"]
        self.looks_at_it()

    def looks_at_it(self) -> None:
        self.looks.append((clock.now(), self.sheet()))

    def act(self) -> rows.Act:
        return rows.Act(self.user_id, clock.now())

    def sets(self, id_: str, to: Status) -> None:
        (row,) = [one for one in self.practice.rows() if one.pms_appointment_id == id_]
        with self.practice.store.write() as session:
            held = rows.locked(session, self.practice.id, row.id)
            rows.set_status(session, held, to, seen_version=held.row_version, act=self.act())

    def adds(self, name: str) -> None:
        with self.practice.store.write() as session:
            clinician = catalogue.clinicians_of(session, self.practice.id)[0].id
            day = datetime.fromisoformat(self.practice.today).date()
            new = rows.WalkIn(clinician, name, clock.now(), 15, None, None)
            rows.add_walk_in(session, self.practice.id, day, new, act=self.act())

    def wants(self, *, types: bool) -> None:
        with self.practice.store.write() as session:
            connection = connections.get(session, self.practice.connection_id)
            every = {row.id for row in catalogue.types_of(session, connection.id)} if types else set()
            practice = practices.get(session, self.practice.id)
            choices.set_telehealth(session, connection, practice, every, clock.now())

    def digests(self) -> list[tuple[str, str]]:
        """(instant, digest) of today that the syncs have kept, oldest first."""
        with self.practice.store.read() as session:
            kept = [
                phase.details["digests"][self.practice.today]
                for run in self.practice.runs()
                for phase in history.phases_of(session, run.id)
                if self.practice.today in phase.details.get("digests", {})
            ]
        return [(one["at"], one["digest"]) for one in kept]


@pytest.fixture
def desk(living: Callable[..., Practice], small_clinic: RunningSandbox) -> Desk:
    practice = living(small_clinic)
    practice.only_when_pressed()
    return Desk(practice, small_clinic)


@pytest.mark.feature("M14")
def test_the_sheet_as_it_stood_at_every_sync_of_the_day(desk: Desk) -> None:
    """Bookings, moves to another day and back, cancellations, deletions, clicks, a walk-in, types switched off and on:
    whatever came later, each sync's own sheet is told again, and its digest is the one that sync has kept.
    """
    tomorrow = (datetime.fromisoformat(desk.practice.today) + timedelta(days=1)).date().isoformat()
    stays, moves, ends, vanishes = desk.practice.books(4)
    desk.syncs()
    desk.sets(stays, Status.ARRIVED)
    desk.adds("Wanda Walk")
    desk.looks_at_it()
    desk.sandbox.control(f"appointments/{moves}/move", day=tomorrow, time="10:00")
    desk.sandbox.control(f"appointments/{ends}/cancel")
    desk.syncs()
    desk.sandbox.control(f"appointments/{vanishes}/delete")
    desk.sandbox.control(f"appointments/{stays}/move", time="15:00", comment="later today")
    desk.syncs()
    desk.wants(types=False)
    desk.looks_at_it()
    desk.sets(stays, Status.IN_PROGRESS)
    desk.wants(types=True)
    desk.sandbox.control(f"appointments/{moves}/move", day=desk.practice.today, time="11:00")
    desk.practice.books(1, time="16:00")
    desk.syncs()

    assert len({str(seen["groups"]) for _, seen in desk.looks}) == len(desk.looks) == 6
    for at, seen in desk.looks:
        told = desk.sheet("--at", at.isoformat())
        assert told["groups"] == seen["groups"]
        assert set(told) == {*seen, "at", "digest", "wiped"}
        assert (told["version"], told["lastSweepAt"], told["hidden"]) == (None, None, None)
    kept = desk.digests()
    assert len({digest for _, digest in kept}) == len(kept) == 6  # of four syncs, two of which also moved or removed
    assert [desk.sheet("--at", at)["digest"] for at, _ in kept] == [digest for _, digest in kept]
    tomorrow_then = desk.sheet("--at", kept[2][0], day=tomorrow)
    assert [row["pmsAppointmentId"] for group in tomorrow_then["groups"] for row in group["rows"]] == [moves]
    assert desk.sheet(day=tomorrow)["groups"] == []


@pytest.mark.feature("M14")
def test_an_instant_nobody_can_know_is_refused_and_a_person_is_told_which_one_is_shown(desk: Desk) -> None:
    desk.practice.books(1)
    desk.syncs()
    words = ["sheet", desk.practice.today, "--practice", str(desk.practice.id), "--at"]
    for at, told in {
        "2020-03-09T10:42": "Nothing is recorded before ",
        "2099-03-09T10:42": "2099-03-09T10:42 lies in the future",
        "quarter past": "“quarter past” is not an instant.",
    }.items():
        ended = in_a_process(desk.practice.environ, [*words, at], "")
        assert (ended.returncode, ended.stdout) == (2, "")
        assert ended.stderr.startswith(told)
    at = desk.looks[-1][0]
    ended = in_a_process(desk.practice.environ, [*words, at.isoformat()], "")
    assert ended.returncode == 0
    assert "as it stood at " in ended.stdout.splitlines()[0]
    assert ended.stdout.splitlines()[-1] == "1 appointments"
