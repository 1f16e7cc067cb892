"""The statuses, the steps staff may take, and whose word stands when the PMS and staff differ.

PMS status and staff status are two facts with two times. What the page shows is a pure function of both
(`shown`), so that no sync can lose what a person said and no click can hide what the PMS said.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal


class Status(StrEnum):
    BOOKED = "booked"
    CONFIRMED = "confirmed"
    ARRIVED = "arrived"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    NO_SHOW = "no_show"
    #: The PMS used a word we do not know. Kept raw, shown raw, never read as booked.
    UNKNOWN = "unknown"


#: What a person may set. UNKNOWN is something only a PMS can be.
STAFF_STATUSES = tuple(status for status in Status if status is not Status.UNKNOWN)

TERMINAL = frozenset({Status.COMPLETED, Status.CANCELLED, Status.NO_SHOW})

#: How far a visit has come. A no-show or a cancellation set here ranks low: if the PMS later sees the patient
#: arrive, that is a further step and the earlier word was simply overtaken by events.
_RANK = {
    Status.UNKNOWN: -1,
    Status.BOOKED: 0,
    Status.CONFIRMED: 1,
    Status.NO_SHOW: 1,
    Status.CANCELLED: 1,
    Status.ARRIVED: 2,
    Status.IN_PROGRESS: 3,
    Status.COMPLETED: 4,
}

#: The one-click path: the single next step of each status (R04).
_NEXT: dict[Status, Status] = {
    Status.UNKNOWN: Status.ARRIVED,
    Status.BOOKED: Status.ARRIVED,
    Status.CONFIRMED: Status.ARRIVED,
    Status.ARRIVED: Status.IN_PROGRESS,
    Status.IN_PROGRESS: Status.COMPLETED,
}

#: Every move staff may make (R03). Terminal states can be reopened: a receptionist marks a no-show too early.
MOVES: dict[Status, tuple[Status, ...]] = {
    Status.UNKNOWN: (Status.BOOKED, Status.CONFIRMED, Status.ARRIVED, Status.NO_SHOW, Status.CANCELLED),
    Status.BOOKED: (Status.CONFIRMED, Status.ARRIVED, Status.IN_PROGRESS, Status.NO_SHOW, Status.CANCELLED),
    Status.CONFIRMED: (Status.BOOKED, Status.ARRIVED, Status.IN_PROGRESS, Status.NO_SHOW, Status.CANCELLED),
    Status.ARRIVED: (Status.IN_PROGRESS, Status.COMPLETED, Status.CONFIRMED, Status.NO_SHOW, Status.CANCELLED),
    Status.IN_PROGRESS: (Status.COMPLETED, Status.ARRIVED, Status.NO_SHOW),
    Status.COMPLETED: (Status.IN_PROGRESS, Status.ARRIVED),
    Status.NO_SHOW: (Status.BOOKED, Status.ARRIVED),
    Status.CANCELLED: (Status.BOOKED, Status.ARRIVED),
}


def next_step(status: Status) -> Status | None:
    """The status the row's one button sets, or None when the visit is over."""
    return _NEXT.get(status)


def may_move(current: Status, to: Status) -> bool:
    """Whether staff may take a row from `current` to `to`."""
    return to in MOVES[current]


@dataclass(frozen=True, slots=True)
class VisitTimes:
    """When the patient came, was let in, and was done."""

    arrived_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None


def times_after(times: VisitTimes, to: Status, at: datetime) -> VisitTimes:
    """The times of a visit whose status became `to` at `at`.

    A step back takes back what it undoes (somebody who is only booked has not arrived); what had happened before the
    step keeps its time. A cancellation, a no-show or an unknown word says nothing about them.
    """
    if to in (Status.BOOKED, Status.CONFIRMED):
        return VisitTimes()
    if to is Status.ARRIVED:
        return VisitTimes(times.arrived_at or at)
    if to is Status.IN_PROGRESS:
        return VisitTimes(times.arrived_at, times.started_at or at)
    if to is Status.COMPLETED:
        return VisitTimes(times.arrived_at, times.started_at, at)
    return times


def times_true_of(times: VisitTimes, status: Status) -> VisitTimes:
    """Those of the times that a visit of that status can have had. What happened before it stays, nothing is added."""
    if status in (Status.BOOKED, Status.CONFIRMED):
        return VisitTimes()
    if status is Status.ARRIVED:
        return VisitTimes(times.arrived_at)
    if status is Status.IN_PROGRESS:
        return VisitTimes(times.arrived_at, times.started_at)
    return times


class Word(StrEnum):
    """What somebody decides where the PMS and staff differ."""

    KEEP = "keep"  # ours stands, and nothing more is said of it until the PMS changes its word again
    TAKE = "take"  # ours is given up; the row says what the PMS says


Source = Literal["pms", "staff"]


@dataclass(frozen=True, slots=True)
class Shown:
    """What a row shows. `other` is the word that lost, kept for the chip; None where both agree or only one spoke."""

    status: Status
    source: Source
    other: Status | None


def shown(
    pms: Status | None,
    pms_changed_at: datetime | None,
    staff: Status | None,
    staff_at: datetime | None,
    decided_on: datetime | None = None,
) -> Shown:
    """Decide whose word stands.

    The staff value stands until the PMS value *changes* after it; then a terminal PMS word or a further step wins,
    a step back does not. A row without a PMS (a walk-in) has only the staff value.

    decided_on: the change of the PMS value against which somebody has kept the staff value. While that is the latest
    one the staff value stands, and there is nothing to point out. It names the change, not the time of the decision:
    a change that was on its way meanwhile has not been decided about.
    """
    if staff is None:
        return Shown(pms or Status.BOOKED, "pms" if pms else "staff", None)
    if pms is None or pms is staff:
        return Shown(staff, "staff", None)
    if decided_on is not None and decided_on == pms_changed_at:
        return Shown(staff, "staff", None)
    changed_after = pms_changed_at is not None and staff_at is not None and pms_changed_at > staff_at
    if changed_after and (pms in TERMINAL or _RANK[pms] > _RANK[staff]):
        return Shown(pms, "pms", staff)
    return Shown(staff, "staff", pms)
