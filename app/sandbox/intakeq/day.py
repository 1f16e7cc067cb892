"""A day of the invented account: who comes when, and how it goes. A pure function of seed and date.

Somebody is at work around the clock, so that something moves at any hour somebody looks.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from app.sandbox.intakeq import cast
from app.sandbox.intakeq.cast import an_id
from app.sandbox.intakeq.model import Planned, Practitioner, Provider, Service, Step, Visit

#: Minutes of the local day at which each of the three who work begins, and how many come to them.
_BEGINS, _MOST, _BETWEEN = (0, 480, 840), 8, 70
_NOTES = ("Bring referral", "Prefers captions on", "Interpreter booked (Auslan)", "Script renewal")


def local(day: date, minute: int, zone: ZoneInfo) -> datetime:
    """That minute of the local day in UTC; a wall time the spring change skips lands an hour later."""
    return datetime.combine(day, time(minute // 60, minute % 60), zone).astimezone(UTC)


def day_of(seed: str, zone: ZoneInfo, day: date) -> list[Planned]:
    """Everybody booked for a local date, each with the course the day will take."""
    rng = Random(f"{seed}|intakeq|{day.isoformat()}")
    waiting = [one.id for one in cast.clients()]
    rng.shuffle(waiting)
    working = [one for one in cast.PRACTITIONERS if not one.inactive]
    planned = []
    for person, begins in zip(working, _BEGINS, strict=True):
        for number in range(_MOST):
            at = local(day, begins + number * _BETWEEN, zone)
            key = (seed, day, person.id, number)
            planned.append(_with_course(rng, _booked(rng, key, at, person, waiting.pop()), number))
    return planned


def _booked(rng: Random, key: tuple[object, ...], at: datetime, person: Practitioner, client_id: int) -> Visit:
    """Each day has Zoom and the vendor's own video, a meeting elsewhere that shows nothing, rooms, and a couple."""
    number = int(str(key[-1]))
    kinds: tuple[tuple[Service, Provider | None], ...] = (
        (cast.INITIAL, "IntakeQ"),
        (cast.REVIEW, "Zoom"),
        (cast.MEET, None),
        (cast.ROOMS, None),
    )
    service, provider = kinds[number % len(kinds)]
    made_at = at - timedelta(days=rng.randrange(2, 30), minutes=rng.randrange(600))
    return Visit(
        id=an_id(*key),
        client_id=client_id,
        starts_at=at,
        minutes=service.minutes,
        practitioner_id=person.id,
        service_id=service.id,
        location_id=(cast.HARBOUR if service is cast.ROOMS else cast.ONLINE).id,
        created_at=made_at,
        modified_at=made_at,
        status="WaitingConfirmation" if rng.random() < 0.3 else "Confirmed",
        provider=provider,
        also=tuple(cast.household(client_id)[:1]) if number == 4 else (),
        by_client=rng.random() < 0.4,
        practitioner_note=rng.choice(_NOTES) if rng.random() < 0.3 else None,
    )


def _with_course(rng: Random, visit: Visit, number: int) -> Planned:
    """Confirmed, answered, begun and ended; or called off; or nobody came. The couple always takes place."""
    at, fate = visit.starts_at, 1.0 if number == 4 else rng.random()
    steps = [Step(at - timedelta(hours=26), {"status": "Confirmed"})] if visit.status != "Confirmed" else []
    if rng.random() < 0.6:
        steps.append(Step(at - timedelta(hours=20), {"answer": "Confirmed"}))
    if fate < 0.08:
        gone = at - timedelta(minutes=rng.randrange(30, 600))
        steps.append(Step(gone, {"status": "Canceled", "cancelled_at": gone, "reason": "Cannot make it"}))
    elif fate < 0.14:
        steps.append(Step(at + timedelta(minutes=25), {"status": "Missed"}))
    else:
        begun = at + timedelta(minutes=rng.randrange(0, 8))
        ended = begun + timedelta(minutes=round(visit.minutes * rng.uniform(0.8, 1.1)))
        steps += [Step(begun, {"session_start": begun}), Step(ended, {"session_end": ended})]
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
