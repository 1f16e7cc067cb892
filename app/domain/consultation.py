"""What was done at a visit, as the PMS tells it: the vendor-free shape every adapter fills. Clinical: kept encrypted,
shown by role only."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class ConsultationRef:
    """Which consultation is wanted. `consultation_id` is None where the appointment names none: the adapter may then
    look for one by animal and day, and says so in `Consultation.inferred`."""

    appointment_id: str
    consultation_id: str | None
    patient_id: str | None
    starts_at: datetime  # aware UTC


@dataclass(frozen=True, slots=True)
class Measure:
    """A number with its unit as the PMS wrote it; None where it named none. Never converted."""

    value: float
    unit: str | None = None


@dataclass(frozen=True, slots=True)
class Vitals:
    """One set of measurements. What was not taken is None, never 0."""

    taken_at: datetime | None = None
    temperature: Measure | None = None
    pulse: Measure | None = None
    respiration: Measure | None = None
    weight: Measure | None = None
    blood_pressure: str | None = None  # "120/80 mmHg", as written


@dataclass(frozen=True, slots=True)
class Item:
    """A treatment, product or service. Quantity as written: "1", "2.5 ml"."""

    name: str
    quantity: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Consultation:
    """SOAP notes and all that hangs on them. Texts are plain: markup of the vendor's has been taken out.

    finalised: the vendor, or our rule for one that never says so, holds that nothing more will be written.
    """

    external_id: str
    appointment_id: str
    finalised: bool
    status: str | None = None  # the vendor's own word
    held_at: datetime | None = None
    inferred: bool = False
    subjective: str | None = None
    objective: str | None = None
    assessment: str | None = None
    plan: str | None = None
    vitals: tuple[Vitals, ...] = ()
    diagnoses: tuple[str, ...] = ()
    treatments: tuple[Item, ...] = ()
    items: tuple[Item, ...] = ()  # products and services
    declined: tuple[Item, ...] = ()
    discharge: str | None = None
    #: Parts the vendor did not let us read (a missing scope, a failed call), by our names: "vitals", "plan".
    missing: tuple[str, ...] = field(default=())
    #: The animal's, where the vendor tells them here and not with the appointment.
    species: str | None = None
    breed: str | None = None


@dataclass(frozen=True, slots=True)
class Consulted:
    """The answer to one ConsultationRef: a consultation, or why there is none.

    reason: None with a consultation; "none_yet" where the visit has none; "not_found"; or the reason of a PmsError.
    """

    ref: ConsultationRef
    consultation: Consultation | None
    reason: str | None = None
