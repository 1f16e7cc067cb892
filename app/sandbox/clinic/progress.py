"""How far a visit has come at an instant: a pure function, so that a restart finds every patient where they were."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from msgspec.structs import replace

from app.sandbox.clinic.model import ARRIVED, CANCELLED_AT, Milestone, Visit

_NOT_HERE_YET = ("none", "confirmed", None)


class Progress(NamedTuple):
    """`status` is the vendor's word or None where it sends none; the stamps are UTC."""

    status: str | None
    arrived_at: datetime | None = None
    cancelled_at: datetime | None = None


def progress(visit: Visit, at: datetime) -> Progress:
    """Fold the milestones that have come to pass. What a person set counts at any instant."""
    now = Progress(visit.status)
    for step in visit.milestones:
        if step.by_hand or step.at <= at:
            now = _after(now, step)
    return now


def _after(now: Progress, step: Milestone) -> Progress:
    if step.word == ARRIVED:
        return now._replace(arrived_at=step.at)
    if step.word == CANCELLED_AT:
        return now._replace(cancelled_at=step.at)
    if step.word == "cancelled":
        return now._replace(status=step.word, cancelled_at=step.at)
    if step.word == "in_waiting_room":
        return Progress(step.word, arrived_at=now.arrived_at or step.at)
    return Progress(step.word, arrived_at=None if step.word in _NOT_HERE_YET else now.arrived_at)


def said_by_hand(visit: Visit, word: str | None, at: datetime) -> Visit:
    """The visit after a person said `word` at `at`: what the moving clock still had in mind is forgotten."""
    past = tuple(step for step in visit.milestones if step.by_hand or step.at <= at)
    return replace(visit, milestones=(*past, Milestone(at, word, by_hand=True)))


def moved(visit: Visit, to: datetime, at: datetime) -> Visit:
    """The visit at another time; what lies ahead of it (arrival, call, end) moves along."""
    by: timedelta = to - visit.starts_at
    steps = tuple(
        step if step.by_hand or step.at <= at else replace(step, at=step.at + by) for step in visit.milestones
    )
    return replace(visit, starts_at=to, milestones=steps)


def held_still(visit: Visit, since: datetime) -> Visit:
    """The visit of a day on which nothing moves: as it stood when the day began (`since`), for ever."""
    kept = tuple(step for step in visit.milestones if step.at <= since)
    return replace(visit, booked_at=None, milestones=kept)
