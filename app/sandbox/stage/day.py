"""A day of an invented clinic: who comes when, and how it goes. A pure function of the clinic and the date.

Somebody is at work around the clock, so that something moves at any hour somebody looks.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from app.sandbox.clinic.clock import local
from app.sandbox.stage.cast import Cast, Setup
from app.sandbox.stage.model import Person, Planned, Step, Visit

#: Minutes of the local day at which each of the three who work begins, and how many come to them.
_BEGINS, _MOST, _BETWEEN = (0, 480, 840), 8, 70
_NOTES = ("Bring referral", "Prefers captions on", "Interpreter booked (Auslan)", "Script renewal")


def day_of(setup: Setup, cast: Cast, seed: str, day: date) -> list[Planned]:
    """Everybody booked for a local date, each with the course the day will take."""
    rng = Random(f"{seed}|{setup.vendor}|{day.isoformat()}")
    waiting = [one.id for one in cast.patients]
    rng.shuffle(waiting)
    working = [one for one in cast.people if one.active]
    planned = []
    for person, begins in zip(working, _BEGINS, strict=True):
        for number in range(_MOST):
            at = local(day, begins + number * _BETWEEN, ZoneInfo(setup.zone))
            visit_id = setup.id_of(setup.vendor, "visit", seed, day, person.id, number)
            planned.append(_with_course(rng, _booked(rng, cast, visit_id, at, person, waiting.pop()), number))
    return planned


def _booked(rng: Random, cast: Cast, visit_id: str, at: datetime, person: Person, patient_id: str) -> Visit:
    kind = cast.kinds[rng.choices(range(len(cast.kinds)), (5, 5, 4, 2))[0]]
    made_at = at - timedelta(days=rng.randrange(2, 30), minutes=rng.randrange(600))
    rooms, online = cast.places
    video = kind.online and "video" in kind.name
    return Visit(
        id=visit_id,
        starts_at=at,
        minutes=kind.minutes,
        practitioner_ids=(person.id,),
        created_at=made_at,
        modified_at=made_at,
        patient_ids=(patient_id,),
        type_id=kind.id,
        place_id=(online if kind.online else rooms).id,
        state="booked" if rng.random() < 0.4 else "confirmed",
        link=f"https://video.example/join/{visit_id}" if video else None,
        host_link=f"https://video.example/host/{visit_id}" if video else None,
        note=rng.choice(_NOTES) if rng.random() < 0.3 else None,
    )


def _with_course(rng: Random, visit: Visit, number: int) -> Planned:
    """Confirmed, arrived, begun and ended; or called off; or nobody came."""
    at, fate = visit.starts_at, 1.0 if number == 4 else rng.random()
    steps = [] if visit.state == "confirmed" else [Step(at - timedelta(hours=26), {"state": "confirmed"})]
    if fate < 0.08:
        gone = at - timedelta(minutes=rng.randrange(30, 600))
        called_off = {"state": "cancelled", "cancelled_at": gone, "cancel_reason": "Cannot make it"}
        steps.append(Step(gone, called_off))
    elif fate < 0.14:
        steps.append(Step(at + timedelta(minutes=25), {"state": "no_show"}))
    else:
        came = at - timedelta(minutes=rng.randrange(0, 10))
        begun = at + timedelta(minutes=rng.randrange(0, 8))
        ended = begun + timedelta(minutes=round(visit.minutes * rng.uniform(0.8, 1.1)))
        steps += [
            Step(came, {"state": "arrived", "arrived_at": came}),
            Step(begun, {"state": "in_progress", "started_at": begun}),
            Step(ended, {"state": "completed", "ended_at": ended}),
        ]
    return Planned(visit, tuple(sorted(steps, key=lambda step: step.at)))


def as_of(planned: Planned, now: datetime) -> Visit:
    """The visit after whatever has happened by now."""
    visit = planned.visit
    for step in planned.steps:
        if step.at <= now:
            visit = replace(visit, **step.values, modified_at=step.at)
    return visit


def days(first: date, last: date) -> Iterator[date]:
    for offset in range((last - first).days + 1):
        yield first + timedelta(days=offset)
