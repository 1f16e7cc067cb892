"""What a person types to connect, as pages show it: a field each, what is set of it, and never a value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from app.errors import InvalidInput
from app.store import credentials, practices
from app.store.credentials import IsSet
from app.store.models import PmsConnection
from app.sync import preview
from app.web.addresses import TYPED
from app.web.forms import Form


@dataclass(frozen=True, slots=True)
class Line:
    """One field. `stands`: what is set of it, in words, "" where nothing is."""

    field: str
    name: str  # of the input
    gone: str  # of the tick box that takes it away
    label: str
    help: str
    secret: bool
    required: bool
    stands: str
    choices: Sequence[tuple[str, str]]
    many: bool  # it may have several lines


@dataclass(frozen=True, slots=True)
class Listed:
    """All fields of a connection's system. `when`: who changed any of them last, "" where none is set."""

    lines: Sequence[Line]
    when: str

    @property
    def words(self) -> str:
        """Which are set, for a line of a list."""
        return "; ".join(f"{one.label} {one.stands}" for one in self.lines if one.stands)


def listed(session: Session, connection: PmsConnection, zone: ZoneInfo) -> Listed | None:
    """None where that system asks for none. Decrypts nothing."""
    if not preview.is_typed(connection.pms_type):
        return None
    kept = credentials.which_are_set(session, connection.id)
    names = practices.names_of(session, {one.changed_by for one in kept.values() if one.changed_by})
    lines = [
        Line(
            field.name,
            TYPED + field.name,
            f"{TYPED}gone-{field.name}",
            field.label,
            field.help,
            field.secret,
            field.required,
            _stands(kept.get(field.name)),
            field.choices,
            field.lines,
        )
        for field in preview.system(connection.pms_type).credentials
    ]
    return Listed(lines, _when(kept.values(), names, zone))


def given(form: Form, kind: str) -> dict[str, str]:
    """What was typed, by field; a ticked “remove” is an empty value. Empty inputs are left out."""
    found: dict[str, str] = {}
    for field in preview.system(kind).credentials:
        if form.raw(f"{TYPED}gone-{field.name}"):
            found[field.name] = ""
        elif value := form.raw(TYPED + field.name).strip():
            found[field.name] = value
    return found


def refuse(form: Form, error: InvalidInput) -> None:
    """Each sentence beside its input."""
    form.refuse(InvalidInput({TYPED + name if name else "": said for name, said in error.errors.items()}))


def _stands(kept: IsSet | None) -> str:
    if kept is None:
        return ""
    return f"ends in {kept.tail}" if kept.tail else "is set"


def _when(kept: Iterable[IsSet], names: Mapping[UUID, str], zone: ZoneInfo) -> str:
    last = max(kept, key=lambda one: one.changed_at, default=None)
    if last is None:
        return ""
    who = names.get(last.changed_by) if last.changed_by else None
    return f"set on {_day(last.changed_at, zone)}" + (f" by {who}" if who else "")


def _day(at: datetime, zone: ZoneInfo) -> str:
    local = at.astimezone(zone)
    return f"{local.day} {local:%B} {local.year}"
