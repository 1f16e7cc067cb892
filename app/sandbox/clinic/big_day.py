"""The big clinic's day: as many appointments as asked for, spread evenly over each practitioner's whole day."""

from __future__ import annotations

from datetime import date
from random import Random
from zoneinfo import ZoneInfo

from app.sandbox.clinic.cast import Cast
from app.sandbox.clinic.clock import local
from app.sandbox.clinic.course import with_course
from app.sandbox.clinic.model import Visit
from app.sandbox.ids import stable_id


def big_day(cast: Cast, zone: ZoneInfo, seed: str, day: date, per_day: int) -> list[Visit]:
    """`per_day` visits for every practitioner; patients and types come round in turn, the courses are drawn."""
    rng = Random(f"{seed}|{cast.tenant.id}|{day.isoformat()}")
    step = 1440 / per_day
    visits = []
    for row, person in enumerate(cast.practitioners):
        for slot in range(per_day):
            kind = cast.types[(row + slot) % len(cast.types)]
            patient = cast.patients[(row * per_day + slot) % len(cast.patients)]
            visits.append(
                Visit(
                    id=stable_id(cast.tenant.id, seed, day, person.id, slot),
                    starts_at=local(day, int(slot * step), zone),
                    minutes=kind.minutes or 20,
                    practitioner_ids=(person.id,),
                    patient_ids=(patient.id,),
                    type_id=kind.id,
                )
            )
    return with_course(rng, visits, steady=set())
