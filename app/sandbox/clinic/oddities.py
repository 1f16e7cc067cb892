"""What real books hold beside plain bookings; each of these is on every demo day at least once."""

from __future__ import annotations

from random import Random

from msgspec.structs import replace

from app.sandbox.clinic.cast import Cast
from app.sandbox.clinic.model import Oddity, Visit
from app.sandbox.ids import stable_id

#: How many visits of a day are odd in each way. The pairs are the combinations that hurt.
_MARKS: tuple[tuple[tuple[Oddity, ...], int], ...] = (
    (("no_end",), 3),
    (("no_minutes",), 2),
    (("no_end", "no_minutes"), 1),
    (("no_status",), 3),
    (("no_type",), 1),
    (("not_side_loaded",), 2),
    (("cancelled_kept",), 1),
    (("arrival_unmarked",), 2),
)


def with_oddities(rng: Random, cast: Cast, visits: list[Visit], keep: set[str]) -> list[Visit]:
    """The same day with its odd rows. Visits in `keep` stay as they are; a visit is odd in one way at most."""
    plain = [visit for visit in visits if visit.patient_ids and visit.id not in keep]
    chosen = iter(rng.sample(plain, sum(count for _, count in _MARKS) + 3))
    odd: dict[str, Visit] = {}
    for marks, count in _MARKS:
        for _ in range(count):
            visit = next(chosen)
            odd[visit.id] = replace(
                visit,
                odd=marks,
                type_id=None if "no_type" in marks else visit.type_id,
                status=None if "no_status" in marks else visit.status,
            )
    group, shared, meeting = next(chosen), next(chosen), next(chosen)
    odd[group.id] = _group(rng, cast, group)
    odd[shared.id] = _shared(rng, shared, visits)
    odd[meeting.id] = replace(
        meeting, patient_ids=(), type_id=None, minutes=60, comment=None, description="Theatre list planning"
    )
    return [odd.get(visit.id, visit) for visit in visits]


def _group(rng: Random, cast: Cast, visit: Visit) -> Visit:
    """Several patients in one booking, of the practice's group type."""
    others = [person.id for person in cast.patients if person.id not in visit.patient_ids]
    together = tuple(rng.sample(others, rng.randint(2, 4)))
    return replace(
        visit,
        patient_ids=visit.patient_ids + together,
        type_id=stable_id(cast.tenant.id, "type-007"),
        minutes=60,
        comment=None,
        description="Living well group",
        location_id=cast.sites[1].id,
    )


def _shared(rng: Random, visit: Visit, visits: list[Visit]) -> Visit:
    """Two practitioners see the patient together: the row arrives in both their sweeps."""
    others = sorted({who for row in visits for who in row.practitioner_ids} - set(visit.practitioner_ids))
    return replace(visit, practitioner_ids=(*visit.practitioner_ids, rng.choice(others)), description="Joint review")
