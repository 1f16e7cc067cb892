"""Which of a practice's cron lines its systems can serve, and the tick's part in letting the rows follow."""

from __future__ import annotations

import logging

from app import clock
from app.errors import InvalidInput
from app.pms.registry import adapter_class
from app.store import timetables
from app.store.db import Store
from app.sync.phases import PHASES, chosen

log = logging.getLogger(__name__)


def why_not(pms_type: str, phase: str) -> str | None:
    """Why no sync of this system can carry out that phase, as a sentence; None where one can."""
    if phase not in {known.name for known in PHASES}:
        return f"This release of Runsheet has no {phase} phase, so nothing would run."
    try:
        chosen((phase,), adapter_class(pms_type).capabilities)
    except InvalidInput as error:
        return str(error)
    return None


def world() -> str:
    """What the rows depend on beside the practice: with another release's phases they are derived anew."""
    return ",".join(phase.name for phase in PHASES)


def follow_edits(store: Store) -> int:
    """Derive the rows of every practice whose lines or zone somebody edited, wherever they did. How many."""
    with store.read() as session:
        practices = timetables.edited(session, world())
    return sum(
        store.transact(lambda session, id_=id_: timetables.follow(session, id_, clock.now(), why_not, world()))  # type: ignore[misc]
        for id_ in practices
    )
