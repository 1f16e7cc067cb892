"""The phases a run is made of, in the order they run. A new one is a file beside these and a line here."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from app.errors import InvalidInput
from app.pms.port import Capabilities
from app.sync.context import SyncContext
from app.sync.phases import catalogue, changes, discovery, enrichment, inbound, reconciliation
from app.sync.tally import Tally


@dataclass(frozen=True, slots=True)
class Phase:
    """`run` does the work and fills the tally; `offered` says whether an adapter can feed it.

    goes_on: in a run that was put back it goes on where it stood, and so does its tally; others begin anew.
    by_name: no part of an ordinary sync, only of one that names it.
    around: so many days on either side of today are its own, whatever days the others read.
    """

    name: str
    run: Callable[[SyncContext, Tally], None]
    offered: Callable[[Capabilities], bool]
    aliases: tuple[str, ...] = ()
    goes_on: bool = False
    by_name: bool = False
    around: int | None = None


PHASES: tuple[Phase, ...] = (
    Phase("catalogue", catalogue.run, lambda _: True),
    Phase("inbound", inbound.run, lambda _: True, aliases=("appointments",), goes_on=True),
    Phase("changes", changes.run, lambda offers: offers.incremental, goes_on=True, by_name=True),
    Phase("enrichment", enrichment.run, lambda offers: offers.consultations, aliases=("cases",), goes_on=True),
    Phase("reconciliation", reconciliation.run, lambda _: True, aliases=("reconcile",)),
    Phase(
        "discovery",
        discovery.run,
        lambda offers: offers.discovery,
        aliases=("patients",),
        goes_on=True,
        by_name=True,
        around=90,
    ),
)


def named(name: str) -> Phase:
    """The phase of that name, in either spelling. Raises InvalidInput."""
    wanted = name.strip().lower()
    for phase in PHASES:
        if wanted == phase.name or wanted in phase.aliases:
            return phase
    raise InvalidInput({"phase": f"“{name}” is not a phase. Use one of {', '.join(phase.name for phase in PHASES)}."})


def chosen(names: Iterable[str], capabilities: Capabilities) -> tuple[str, ...]:
    """The phases to run, in their order: those named, or all that the adapter offers and an ordinary sync needs."""
    wanted = {named(name).name for name in names}
    for name in wanted:
        if not named(name).offered(capabilities):
            raise InvalidInput({"phase": f"This system does not offer what the {name} phase needs."})
    if not wanted:
        wanted = {phase.name for phase in PHASES if phase.offered(capabilities) and not phase.by_name}
    return tuple(phase.name for phase in PHASES if phase.name in wanted)


def own_windows(
    names: Iterable[str], today: date, first: date | None = None, last: date | None = None
) -> dict[str, tuple[date, date]]:
    """The days of those of the phases that do not read the run's window: as somebody named them, else their own."""
    found = {}
    for phase in map(named, names):
        if phase.around is not None:
            by = timedelta(days=phase.around)
            found[phase.name] = (first or min(today, last or today) - by, last or max(today, first or today) + by)
    return found
