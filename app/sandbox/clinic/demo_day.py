"""The demo clinic's day: who is booked with whom and when. A pure function of seed and date; nothing moves in here.

The clinic is open around the clock, so that something happens at any hour somebody looks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

from app.sandbox.clinic import original
from app.sandbox.clinic.cast import Cast
from app.sandbox.clinic.clock import local
from app.sandbox.clinic.course import with_course
from app.sandbox.clinic.model import Patient, Practitioner, Visit
from app.sandbox.clinic.oddities import with_oddities
from app.sandbox.ids import stable_id

Hours = tuple[tuple[int, int], ...]

#: Hours on duty of the practitioners in the book, in their order, as minutes of the local day.
#: Two keep nights and so work at both ends of the date.
ROSTER: tuple[Hours, ...] = (
    ((480, 1080),),
    ((510, 1110),),
    ((0, 600),),
    ((240, 840),),
    ((720, 1320),),
    ((840, 1435),),
    ((0, 240), (1080, 1435)),
    ((0, 360), (1200, 1435)),
)

#: How often each kind of visit is booked, in the order of the demo's types; a group is made from another (oddities).
_WEIGHTS = (27, 22, 24, 8, 4, 12, 0, 10)
_MOST_A_DAY = 19  # a visit shared with a colleague may come on top
_BREAK_AFTER = 7

_COMMENTS = (
    "Prefers captions on",
    "Ring the mobile if late to the call",
    "Interpreter booked (Auslan)",
    "Daughter joins the call",
    "Bring results of last month",
    "Script renewal",
    "Wants the camera off",
)

_REASONS = (
    "Blood results",
    "Medication review",
    "Sleep",
    "Knee, six weeks on",
    "Skin check",
    "Travel advice",
    "Asthma plan",
)


def demo_day(cast: Cast, zone: ZoneInfo, seed: str, day: date) -> list[Visit]:
    """Every visit of a local date, each with the course it will take."""
    rng = Random(f"{seed}|{cast.tenant.id}|{day.isoformat()}")
    waiting = list(cast.patients[len(original.PATIENTS) :])
    rng.shuffle(waiting)
    diary = _Diary(rng, cast, zone, (cast.tenant.id, seed, day), day, waiting)
    fixed = diary.of_the_document()
    keep = {visit.id for visit in fixed}
    staff = [person for person in cast.practitioners if person.active and person.shown]
    visits = list(fixed)
    for person, hours in zip(staff, ROSTER, strict=True):
        visits += diary.own_list(person, hours, [v for v in fixed if v.practitioner_ids == (person.id,)])
    return with_course(rng, with_oddities(rng, cast, visits, keep), keep)


@dataclass(slots=True)
class _Diary:
    """Fills one date. `key` begins the name of every id in it; `waiting` are the patients not booked yet."""

    rng: Random
    cast: Cast
    zone: ZoneInfo
    key: tuple[object, ...]
    day: date
    waiting: list[Patient]

    def of_the_document(self) -> list[Visit]:
        """The four appointments the original document has each day."""
        return [
            Visit(
                id=stable_id(*self.key, key),
                starts_at=local(self.day, minute, self.zone),
                minutes=minutes,
                practitioner_ids=(original.PRACTITIONERS[who].id,),
                patient_ids=(original.PATIENTS[patient].id,),
                type_id=kind.id,
                status=status,
                description=description,
            )
            for key, minute, minutes, who, patient, kind, status, description in original.APPOINTMENTS
        ]

    def own_list(self, person: Practitioner, hours: Hours, taken: list[Visit]) -> Iterator[Visit]:
        """One practitioner's bookings around those already `taken`, at most 19 in all, with a break on the way.

        A booking the break has pushed onto another is left there: books do hold double bookings.
        """
        number = 0
        for first, last in hours:
            minute = first
            while minute < last - 10 and number < _MOST_A_DAY - len(taken):
                kind = self.rng.choices(self.cast.types, _WEIGHTS)[0]
                minutes = kind.minutes or 20
                if any(_overlaps(visit, local(self.day, minute, self.zone), minutes) for visit in taken):
                    minute += 5
                    continue
                if number == _BREAK_AFTER:
                    yield self.break_of(person, minute)
                    minute += 30
                rooms, video = self.cast.sites
                yield Visit(
                    id=stable_id(*self.key, person.id, number),
                    starts_at=local(self.day, minute, self.zone),
                    minutes=minutes,
                    practitioner_ids=(person.id,),
                    patient_ids=(self.waiting.pop().id,),
                    type_id=kind.id,
                    comment=self.rng.choice(_COMMENTS) if self.rng.random() < 0.25 else None,
                    description=self.rng.choice(_REASONS) if self.rng.random() < 0.3 else None,
                    location_id=None if self.rng.random() < 0.2 else (video if kind.online else rooms).id,
                )
                number += 1
                minute += minutes + self.rng.choice((0, 0, 0, 5, 10))

    def break_of(self, person: Practitioner, minute: int) -> Visit:
        return Visit(
            id=stable_id(*self.key, person.id, "break"),
            starts_at=local(self.day, minute, self.zone),
            minutes=30,
            practitioner_ids=(person.id,),
            description="Break",
        )


def _overlaps(visit: Visit, at: datetime, minutes: int) -> bool:
    return at < visit.starts_at + timedelta(minutes=visit.minutes) and visit.starts_at < at + timedelta(minutes=minutes)
