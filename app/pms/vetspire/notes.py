"""A Vetspire encounter in the house's words. Pure.

Source: pms/vetspire.md §2.4. What hangs on it but is not public in depth (problems, treatments, medications, products)
is not asked for.
"""

from __future__ import annotations

from collections.abc import Iterable

from app.domain.consultation import Consultation, Measure, Vitals
from app.domain.names import clip, first_of
from app.pms.markup import plain
from app.pms.rows import RowFault
from app.pms.vetspire import wire
from app.pms.vetspire.mapping import instant

#: A section with the flag, or with this in its name. [assumed]
_DISCHARGE = "discharge"
#: The custom measurement that holds it: there is no column for it. [assumed]
_PRESSURE = "blood pressure"
SIGNED, UNSIGNED = "signed", "unsigned"


def consultation(row: wire.Encounter) -> Consultation:
    """Signed is the only word that nothing more will be written (seen in code). Raises RowFault.

    One that names no appointment (somebody walked in) cannot be told as anybody's visit.
    """
    if row.appointment is None:
        raise RowFault("$.appointment", "missing")
    return Consultation(
        str(row.id),
        str(row.appointment.id),
        finalised=row.signed is True,
        status=SIGNED if row.signed else UNSIGNED,
        held_at=instant(row.start, "$.start"),
        subjective=_text(row.subjective),
        objective=_text(row.objective),
        assessment=_text(row.assessment),
        plan=_text(row.plan),
        vitals=(vitals(row.vitals),) if row.vitals else (),
        discharge=clip("\n\n".join(_answers(one) for one in row.sections or () if _is_discharge(one))),
    )


def vitals(row: wire.Vitals) -> Vitals:
    """Only the weight has a unit; the temperature's is the practice's own and not told."""
    pressure = (one for one in row.customs or () if _PRESSURE in (one.name or "").lower())
    return Vitals(
        instant(row.datetime, "$.vitals.datetime"),
        temperature=_measure(row.temp),
        pulse=_measure(row.heart_rate, "/min"),
        respiration=_measure(row.resp_rate, "/min"),
        weight=_measure(row.weight, first_of((row.weight_unit,))),
        blood_pressure=first_of(None if one.value is None else str(one.value) for one in pressure),
    )


def _measure(value: float | None, unit: str | None = None) -> Measure | None:
    return None if value is None else Measure(float(value), unit)


def _text(parts: Iterable[wire.Value] | None) -> str | None:
    """The pieces in their order, without their markup."""
    return clip("\n\n".join(found for one in parts or () if (found := plain(one.value))))


def _is_discharge(row: wire.Section) -> bool:
    return row.is_discharge is True or _DISCHARGE in (row.name or "").lower()


def _answers(row: wire.Section) -> str:
    told = ((first_of((one.label,)), plain(one.value)) for one in row.data or ())
    return "\n".join(f"{label}: {text}" if label else text for label, text in told if text)
