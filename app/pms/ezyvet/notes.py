"""What hangs on a consult, in the house's words. Pure.

Source: pms/ezyvet.md §2.4. History, weight, vaccinations, prescriptions and invoice lines are documented or seen in
code; the spelling of the other parts is [assumed] and stands in wire.py. Declined items and discharge texts have no
resource.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from app.domain.consultation import Consultation, ConsultationRef, Item, Measure, Vitals
from app.domain.names import clip
from app.pms.ezyvet import wire
from app.pms.ezyvet.coerce import Scalar, instant, number, words
from app.pms.markup import plain

#: ezyVet never marks a consult closed (documented: DEV has no such field). It counts as finalised once nothing of it
#: has changed for this long [assumed].
SETTLED_AFTER = timedelta(hours=24)


def settled(held_at: datetime | None, changes: list[datetime], now: datetime) -> bool:
    """The settle rule: held, and unchanged for a day. Of what says neither when it was held nor changed: no."""
    known = [*changes, *([held_at] if held_at else [])]
    return bool(known) and max(known) <= now - SETTLED_AFTER


@dataclass(slots=True)
class Held:
    """One consult and all that was read for it. Texts stand with their time, so that they come in their order."""

    external_id: str
    animal_id: str | None
    held_at: datetime | None
    changes: list[datetime] = field(default_factory=list)
    texts: dict[str, list[tuple[float, str]]] = field(default_factory=dict)
    vitals: list[Vitals] = field(default_factory=list)
    diagnoses: list[str] = field(default_factory=list)
    treatments: list[Item] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)
    missing: set[str] = field(default_factory=set)

    def text(self, part: str, row: wire.Note) -> None:
        found = "\n\n".join(one for one in (plain(row.comments), plain(row.notes)) if one)
        if found:
            at = instant(row.timestamp, "$.timestamp")
            self.texts.setdefault(part, []).append((at.timestamp() if at else 0.0, found))

    def changed(self, *stamps: Scalar) -> None:
        for stamp in stamps:
            at = instant(stamp, "$.modified_at")
            if at is not None:
                self.changes.append(at)

    def told(self, ref: ConsultationRef, now: datetime, *, inferred: bool) -> Consultation:
        def soap(part: str) -> str | None:
            return clip("\n\n".join(text for _, text in sorted(self.texts.get(part, []), key=lambda one: one[0])))

        return Consultation(
            self.external_id,
            ref.appointment_id,
            finalised=settled(self.held_at, self.changes, now),
            held_at=self.held_at,
            inferred=inferred,
            subjective=soap("subjective"),
            objective=soap("objective"),
            assessment=soap("assessment"),
            plan=soap("plan"),
            vitals=tuple(sorted(self.vitals, key=lambda one: one.taken_at.timestamp() if one.taken_at else 0.0)),
            diagnoses=tuple(dict.fromkeys(self.diagnoses)),
            treatments=tuple(self.treatments),
            items=tuple(self.items),
            missing=tuple(sorted(self.missing)),
        )


def vitals(row: wire.HealthStatus) -> Vitals:
    """One set of measurements, each with the unit it was written with."""
    return Vitals(
        instant(row.timestamp, "$.timestamp"),
        measure(row.temperature, row.temperature_unit, "$.temperature"),
        measure(row.heart_rate, row.heart_rate_unit, "$.heart_rate"),
        measure(row.respiratory_rate, row.respiratory_rate_unit, "$.respiratory_rate"),
        measure(row.weight, row.weight_unit, "$.weight"),
        words(row.blood_pressure) if row.blood_pressure not in (0, "0", "0.00") else None,
    )


def measure(value: Scalar, unit: Scalar, path: str) -> Measure | None:
    """A figure with its unit; 0 is what v1 says of what was not taken."""
    found = number(value, path)
    return Measure(found, words(unit)) if found else None


def product_name(product_id: str | None, products: Mapping[str, str]) -> str:
    """A product by name; where the site does not let us read products, by its number."""
    return products.get(product_id or "") or (f"Product {product_id}" if product_id else "Unnamed product")


def quantity(value: Scalar) -> str | None:
    """As written."""
    return words(value)
