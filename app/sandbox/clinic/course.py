"""How each visit of a day will go: confirmed, in the waiting room, called, done, invoiced; or cancelled, or never seen.

Drawn once with the day. Which of it has happened by an instant is `progress`'s to say.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random

from msgspec.structs import replace

from app.sandbox.clinic.model import ARRIVED, CANCELLED_AT, Milestone, Visit

_CANCELS = 0.08
_NEVER_COMES = 0.05
_COMES_LATE = 0.12
_BOOKED_TODAY = 0.06


def with_course(rng: Random, visits: list[Visit], steady: set[str]) -> list[Visit]:
    """Every visit with its milestones, in the order of the day. A practitioner sees one visit at a time, so lists slip.

    Those in `steady` always take place.
    """
    free_at: dict[str, datetime] = {}
    planned = []
    for visit in sorted(visits, key=lambda v: (v.starts_at, v.id)):
        if not visit.patient_ids:
            planned.append(visit)
            continue
        certain = visit.id in steady or bool(visit.odd)
        fate = 1.0 if certain else rng.random()
        booked_at = None if certain else _booked_today(rng, visit)
        if "cancelled_kept" in visit.odd:
            steps = [Milestone(_before(rng, visit, 60, 1200), CANCELLED_AT)]
        elif fate < _CANCELS:
            steps = [*_confirmed(rng, visit, booked_at), Milestone(_before(rng, visit, 10, 55), "cancelled")]
        elif fate < _CANCELS + _NEVER_COMES:
            steps = [*_confirmed(rng, visit, booked_at), Milestone(_after(rng, visit, 15, 30), "did_not_arrive")]
        else:
            steps = [*_confirmed(rng, visit, booked_at), *_seen(rng, visit, free_at)]
        planned.append(replace(visit, booked_at=booked_at, milestones=tuple(sorted(steps, key=lambda step: step.at))))
    return planned


def _seen(rng: Random, visit: Visit, free_at: dict[str, datetime]) -> list[Milestone]:
    """Arrival to invoice. Somebody far behind hurries, so that a list never slips for ever."""
    late = rng.random() < _COMES_LATE
    arrives = _after(rng, visit, 4, 18) if late else _before(rng, visit, 2, 18)
    who = visit.practitioner_ids[0]
    free = free_at.get(who, visit.starts_at)
    called = max(arrives + _minutes(1), visit.starts_at + _minutes(rng.uniform(0, 6)), free)
    behind = called - visit.starts_at > _minutes(25)
    done = called + _minutes(visit.minutes * (0.6 if behind else rng.uniform(0.7, 1.2)))
    free_at[who] = done
    word = ARRIVED if "arrival_unmarked" in visit.odd else "in_waiting_room"
    steps = [Milestone(arrives, word), Milestone(called, "with_doctor"), Milestone(done, "completed")]
    if rng.random() < 0.7:
        steps.append(Milestone(done + _minutes(rng.uniform(2, 25)), "invoiced"))
    return steps


def _confirmed(rng: Random, visit: Visit, booked_at: datetime | None) -> list[Milestone]:
    """Most confirm, some the day before; a row without a status word never says that it is confirmed."""
    if "no_status" in visit.odd or rng.random() > 0.7:
        return []
    return [Milestone(_before(rng, visit, 60, 1800 if booked_at is None else 61), "confirmed")]


def _booked_today(rng: Random, visit: Visit) -> datetime | None:
    """Now and then somebody rings in the morning: the row appears while the day runs."""
    return _before(rng, visit, 75, 180) if rng.random() < _BOOKED_TODAY else None


def _before(rng: Random, visit: Visit, least: float, most: float) -> datetime:
    return visit.starts_at - _minutes(rng.uniform(least, most))


def _after(rng: Random, visit: Visit, least: float, most: float) -> datetime:
    return visit.starts_at + _minutes(rng.uniform(least, most))


def _minutes(count: float) -> timedelta:
    return timedelta(seconds=round(count * 60))
