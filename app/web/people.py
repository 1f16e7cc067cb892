"""Practitioners of a PMS and the clinicians of the sheet: the list to choose from, and what a choice does (A23)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from uuid import UUID

from sqlalchemy.orm import Session

from app.errors import InvalidInput
from app.store import catalogue, choices, practices
from app.store.choices import Rows
from app.store.models import Clinician, ClinicianMapping, PmsConnection, Practice
from app.web.forms import Form
from app.web.words import plural

#: What a choice may say besides a clinician's id.
NOBODY, LEFT_OUT, NEW = "", "off", "new"
#: Suggested with too little reason to fill it in for anybody.
_WEAK = "same family name"


@dataclass(frozen=True, slots=True)
class Option:
    value: str
    words: str


@dataclass(slots=True)
class PersonView:
    """One practitioner as a line: who, what stands for them today, and where they may go."""

    id: UUID
    name: str
    email: str
    today: int | None  # None: nobody counted yet
    value: str  # as chosen, or as typed
    was: str  # as stored
    options: list[Option]
    suggestion: str  # "Dr Odette Marlowe"
    reason: str  # "same name"
    folded: str  # why it stands in the fold: "left the practice", "not shown in the appointment book"


@dataclass(slots=True)
class PeopleView:
    first: list[PersonView] = field(default_factory=list)  # without a clinician
    rest: list[PersonView] = field(default_factory=list)
    folded: list[PersonView] = field(default_factory=list)
    shared: list[tuple[UUID, str]] = field(default_factory=list)  # to be confirmed: clinician, the sentence

    @property
    def fillable(self) -> bool:
        return any(one.value == NOBODY for one in self.first)


@dataclass(slots=True)
class Done:
    """What saving did."""

    mapped: int = 0
    created: int = 0
    unassigned: int = 0
    hidden: int = 0
    left_out: list[str] = field(default_factory=list)
    brought_in: bool = False

    @property
    def sentence(self) -> str:
        told = []
        if self.mapped:
            new = f", {self.created} of them to a new one" if self.created else ""
            told.append(f"{plural(self.mapped, 'practitioner')} assigned to a clinician{new}.")
        if self.unassigned:
            told.append(f"{plural(self.unassigned, 'practitioner')} no longer assigned.")
        if self.left_out:
            told.append(f"Left out: {', '.join(self.left_out)}; {plural(self.hidden, 'row')} left the sheet.")
        if self.brought_in:
            told.append("Whom you let in again is being read now.")
        return " ".join(told) or "Nothing was changed."


class SharedColumn(InvalidInput):
    """Two people of the PMS would stand under one clinician; somebody has to say that this is meant."""

    def __init__(self, shared: list[tuple[UUID, str]]) -> None:
        self.shared = shared
        super().__init__("Two practitioners would share one column. Say below that this is meant, then save again.")


def listed(
    session: Session,
    connection: PmsConnection,
    now: datetime,
    *,
    typed: Form | None = None,
    counts: Mapping[str, int] | None = None,
) -> PeopleView:
    """Everybody the PMS lists, whoever has no clinician first. counts: today's appointments, where no row is stored."""
    practice = practices.get(session, connection.practice_id)
    clinicians = catalogue.clinicians_of(session, practice.id)
    rows = choices.rows_of_practitioners(session, connection, practice, now)
    shown = PeopleView()
    for row in catalogue.mappings_of(session, connection.id):
        today = _rows_of(rows, row, counts)
        one = _person(row, clinicians, today, typed)
        if one.folded:
            shown.folded.append(one)
        else:
            (shown.first if one.was == NOBODY else shown.rest).append(one)
    return shown


def filled_in(session: Session, connection: PmsConnection, typed: Form) -> Form:
    """The form with a choice for everybody who has none: who they most likely are, else a clinician of their own."""
    clinicians = catalogue.clinicians_of(session, connection.practice_id)
    values = dict(typed.values)
    for row in catalogue.mappings_of(session, connection.id):
        if not (row.active and row.shown_in_book) or values.get(f"to-{row.id}", NOBODY) != NOBODY:
            continue
        suggestion = catalogue.suggestion_for(row, clinicians)
        sure = suggestion is not None and suggestion.reason != _WEAK
        values[f"to-{row.id}"] = str(suggestion.clinician_id) if sure and suggestion else NEW
    return Form(values)


def save(
    session: Session,
    connection: PmsConnection,
    typed: Form,
    confirmed: Collection[str],
    now: datetime,
) -> Done:
    """Do what was chosen. Only what this form changed: somebody else's work of the meantime stays.

    Raises InvalidInput (an unknown clinician), SharedColumn; the caller's transaction is then rolled back.
    """
    practice = practices.get(session, connection.practice_id)
    changes = _changes(session, connection, typed)
    if not changes:
        return Done()
    shared = _shared(session, connection, changes, confirmed)
    if shared:
        raise SharedColumn(shared)
    done = Done()
    for row, value in changes:
        _apply(session, connection, practice, row, value, done, now)
    session.flush()
    choices.regroup(session, practice, now)
    return done


# --- saving -----------------------------------------------------------------------------------------------------------


def _changes(session: Session, connection: PmsConnection, typed: Form) -> list[tuple[ClinicianMapping, str]]:
    known = {str(person.id) for person in catalogue.clinicians_of(session, connection.practice_id)}
    found = []
    for row in catalogue.mappings_of(session, connection.id):
        name = f"to-{row.id}"
        if name not in typed.values or typed.raw(name) == typed.raw(f"was-{row.id}"):
            continue
        value = typed.raw(name)
        if value not in known and value not in (NOBODY, LEFT_OUT, NEW):
            typed.reject(name, "Choose one of the clinicians of this practice.")
        found.append((row, value))
    typed.check()
    return found


def _shared(
    session: Session,
    connection: PmsConnection,
    changes: Sequence[tuple[ClinicianMapping, str]],
    confirmed: Collection[str],
) -> list[tuple[UUID, str]]:
    """Clinicians whom these changes would give a second person of the PMS, unless that was confirmed."""
    chosen = {row.id: value for row, value in changes}
    under = defaultdict[str, list[str]](list)
    for row in catalogue.mappings_of(session, connection.id):
        value = chosen.get(row.id, _value(row))
        if value not in (NOBODY, LEFT_OUT, NEW):
            under[value].append(row.pms_practitioner_name)
    names = {str(person.id): person.name for person in catalogue.clinicians_of(session, connection.practice_id)}
    return [
        (UUID(value), f"{' and '.join(under[value])} would both stand under {names[value]}.")
        for value in dict.fromkeys(chosen.values())
        if len(under.get(value, ())) > 1 and value not in confirmed
    ]


def _apply(
    session: Session,
    connection: PmsConnection,
    practice: Practice,
    row: ClinicianMapping,
    value: str,
    done: Done,
    now: datetime,
) -> None:
    want = partial(choices.set_practitioner, session, connection, practice, row, now=now)
    if value == LEFT_OUT:
        done.hidden += want(enabled=False).hidden
        done.left_out.append(row.pms_practitioner_name)
        return
    done.brought_in |= want(enabled=True).brought_in
    if value == NOBODY:
        row.run_sheet_clinician_id = None
        done.unassigned += 1
        return
    if value == NEW:
        person = catalogue.new_clinician(session, practice.id, row.pms_practitioner_name, row.pms_email)
        row.run_sheet_clinician_id = person.id
        done.created += 1
    else:
        row.run_sheet_clinician_id = UUID(value)
    done.mapped += 1


# --- showing ----------------------------------------------------------------------------------------------------------


def _value(row: ClinicianMapping) -> str:
    if not row.sync_enabled:
        return LEFT_OUT
    return str(row.run_sheet_clinician_id) if row.run_sheet_clinician_id else NOBODY


def _rows_of(rows: Mapping[str, Rows], row: ClinicianMapping, counts: Mapping[str, int] | None) -> Rows | None:
    if counts is not None:
        count = int(counts.get(row.pms_practitioner_id, 0))
        return Rows(count, count)
    return rows.get(row.pms_practitioner_id, Rows())


def _person(
    row: ClinicianMapping, clinicians: Sequence[Clinician], rows: Rows | None, typed: Form | None
) -> PersonView:
    was = _value(row)
    suggestion = catalogue.suggestion_for(row, clinicians) if was == NOBODY else None
    name = f"to-{row.id}"
    return PersonView(
        id=row.id,
        name=row.pms_practitioner_name,
        email=row.pms_email or "",
        today=rows.today if rows else None,
        value=typed.raw(name) if typed and name in typed.values else was,
        was=was,
        options=_options(row, clinicians, rows),
        suggestion=suggestion.clinician_name if suggestion else "",
        reason=suggestion.reason if suggestion else "",
        folded=_folded(row),
    )


def _folded(row: ClinicianMapping) -> str:
    if not row.active:
        return "no longer works there"
    return "" if row.shown_in_book else "not shown in the appointment book"


def _options(row: ClinicianMapping, clinicians: Sequence[Clinician], rows: Rows | None) -> list[Option]:
    leaves = f": {plural(rows.ahead, 'row')} would leave the sheet" if rows and rows.ahead and row.sync_enabled else ""
    return [
        Option(NOBODY, "Not yet assigned"),
        *(Option(str(person.id), person.name) for person in clinicians),
        Option(NEW, f"New clinician “{row.pms_practitioner_name}”"),
        Option(LEFT_OUT, f"Leave out{leaves}"),
    ]
