"""What Neo tells of a consultation, in the house's words. Pure.

Source: pms/idexx-neo.md §2.5 and §3. There are no fields for the parts of a note: it is one text, written into the
clinic's own template.
"""

from __future__ import annotations

import math
import re
from zoneinfo import ZoneInfo

import msgspec

from app.domain.consultation import Consultation, ConsultationRef, Item, Measure, Vitals
from app.domain.names import clip
from app.pms.idexx_neo import wire
from app.pms.idexx_neo.coerce import ident, instant, words
from app.pms.idexx_neo.mapping import named
from app.pms.markup import plain
from app.pms.rows import RowFault

#: Nothing more will be written once it is one of these [assumed; the words are documented: Neo support, and odis].
_FINAL = frozenset({"completed", "unpaid", "partially paid", "partially_paid", "paid", "finalized"})
#: A line that begins a part of the note, as templates write it [assumed].
_HEADING = re.compile(
    r"^(?:- )?(?:(s|subjective)|(o|objective)|(a|assessment)|(p|plan))\s*:[ \t]*", re.IGNORECASE | re.MULTILINE
)
_PARTS = ("subjective", "objective", "assessment", "plan")


def consultation(told: wire.Consulted, ref: ConsultationRef, zone: ZoneInfo) -> tuple[Consultation, bool]:
    """The consultation, and whether its vital signs could be read. Raises RowFault."""
    held, lines = told.consultation, told.consultation_lines or []
    id_ = ident(held.id, "$.consultation.id")
    if id_ is None:
        raise RowFault("$.consultation.id", "missing")
    at = instant(held.date, zone, "$.consultation.date")
    written = plain(told.consultation_notes.notes if told.consultation_notes else None) or plain(held.notes)
    soap = parts(written)
    vitals, readable = vitals_of(told.vital_sign_group)
    made = Consultation(
        id_,
        ref.appointment_id,
        finalised=(words(held.status) or "").lower() in _FINAL,
        status=words(held.status),
        held_at=at[0] if at else None,
        subjective=clip(soap.get("subjective")),
        objective=clip(soap.get("objective")),
        assessment=clip(soap.get("assessment")),
        plan=clip(soap.get("plan")),
        vitals=vitals,
        items=tuple(item(one) for one in lines if not one.is_declined),
        declined=tuple(item(one) for one in lines if one.is_declined),
        discharge=clip(plain(held.discharge_summary)),
        species=named(told.patient.species),
        breed=named(told.patient.breed),
    )
    return made, readable


def parts(text: str | None) -> dict[str, str]:
    """A note by its headings, S, O, A and P in any spelling; without at least two of them all of it is the first part.

    What stands before the first heading belongs to the first part; a heading that comes twice goes on.
    """
    if not text:
        return {}
    found = list(_HEADING.finditer(text))
    if len({one.lastindex for one in found}) < 2:
        return {_PARTS[0]: text}
    told: dict[str, list[str]] = {_PARTS[0]: [text[: found[0].start()].strip()]}
    for one, after in zip(found, [*found[1:], None], strict=True):
        assert one.lastindex is not None
        body = text[one.end() : after.start() if after else len(text)].strip()
        told.setdefault(_PARTS[one.lastindex - 1], []).append(body)
    return {part: joined for part, texts in told.items() if (joined := "\n\n".join(filter(None, texts)))}


def vitals_of(group: msgspec.Raw) -> tuple[tuple[Vitals, ...], bool]:
    """One set of measurements with the units they were written with; False where the shape is not the assumed one."""
    if bytes(group) in (b"", b"null", b"[]", b"{}"):
        return (), True
    try:
        told = wire.vital_signs.decode(group)
        made = Vitals(
            None,
            measure(told.temperature, told.temperature_unit),
            measure(told.pulse, None),
            measure(told.respiration, None),
            measure(told.weight, told.weight_unit),
            words(str(told.blood_pressure)) if told.blood_pressure else None,
        )
    except (msgspec.DecodeError, ValueError):
        return (), False
    return ((made,), True) if made != Vitals() else ((), False)


def measure(value: wire.Number, unit: str | None) -> Measure | None:
    """A figure with its unit. Raises ValueError for what is none."""
    if value is None or value == "":
        return None
    found = float(value)
    if not math.isfinite(found):
        raise ValueError(unit)
    return Measure(found, words(unit))


def item(line: wire.Line) -> Item:
    """A product or service; the quantity as a person writes it, 2 and not 2.0."""
    quantity = line.quantity
    if isinstance(quantity, float) and quantity.is_integer():
        quantity = int(quantity)
    return Item(words(line.product_service) or words(line.label) or "Unnamed item", words(str(quantity or "")))
