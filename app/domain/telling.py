"""What the house tells a PMS: a status that reception set, where the practice wants that and the PMS can be told (R49).

Only how far a visit has come is told. A visit is never called off from here: that may charge the patient or write to
them, and belongs to whoever answers for it in the PMS.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

from app.domain.status import Status

#: What may be told at all, in the order a visit takes.
TELLABLE = (Status.CONFIRMED, Status.ARRIVED, Status.IN_PROGRESS, Status.COMPLETED, Status.NO_SHOW)
#: Minutes until it is tried again, after the first failure, the second ...; then it is given up.
_PAUSES = (1, 2, 5, 15, 30, 60)


def to_tell(said: Status | None, known: Status | None, wanted: Collection[str]) -> Status | None:
    """What to tell the PMS of a row; None for nothing.

    said: what staff say, known: what the PMS said last. wanted: what the practice wants told. A visit the PMS has
    called off, or says the same of already, is left alone.
    """
    if said is None or said not in TELLABLE or said.value not in wanted:
        return None
    return None if known in (said, Status.CANCELLED) else said


def pause_after(failures: int) -> timedelta | None:
    """How long to wait after so many failures in a row; None: give up."""
    return timedelta(minutes=_PAUSES[failures - 1]) if failures <= len(_PAUSES) else None
