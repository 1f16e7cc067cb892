"""One day of the hospital: a pure function of seed and date. Each row carries how it will change, so that the clock
alone moves it.

Ids tell their day: an appointment is the date's ordinal times 100 and a number, its consult half a thousand million
more, a part of the consult ten times that and a digit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from random import Random
from zoneinfo import ZoneInfo

from app.sandbox.ezyvet import cast
from app.sandbox.ezyvet.cast import Record

CONSULT_IDS = 500_000_000
_MINUTE, _DAY = 60, 86_400

_REASONS = (
    "Limping, left fore",
    "Scratching at the ear",
    "Vomited twice overnight",
    "Bad breath, drops food",
    "Annual check",
    "Owner worried about weight",
)
_BLOCKS = ("Lunch", "Staff meeting", "Phone calls")


@dataclass
class Row:
    """A record from its first instant on, and what it says later: (instant, fields) in order."""

    record: Record
    since: int
    changes: list[tuple[int, Record]] = field(default_factory=list)

    def at(self, now: int) -> Record | None:
        """The record as it stands; None before it was made."""
        if self.since > now:
            return None
        told = {**self.record, "created_at": self.since, "modified_at": self.since}
        for at, fields in self.changes:
            if at <= now:
                told |= fields
                told["modified_at"] = at
        return told


Day = dict[str, list[Row]]


def day_of_id(id_: int) -> date | None:
    """The date an id of a day's row belongs to."""
    number = id_
    while number > CONSULT_IDS * 2:
        number //= 10
    number = number - CONSULT_IDS if number > CONSULT_IDS else number
    ordinal = number // 100
    return date.fromordinal(ordinal) if 700_000 < ordinal < 800_000 else None


def made_day(seed: str, day: date) -> Day:
    """Every row of a local date, by the vendor's resource names."""
    rng = Random(f"{seed}|ezyvet|{day.isoformat()}")
    made: Day = {}
    animals = list(range(len(cast.tables()["animal"])))
    number = 0
    for vet, _, hours in cast.VETS:
        rng.shuffle(animals)
        for place, minute in enumerate(_slots(rng, *hours)):
            number += 1
            starts = epoch(day, minute)
            id_ = day.toordinal() * 100 + number
            if place == 4:
                made.setdefault("appointment", []).append(_block(rng, id_, starts, vet))
                continue
            _visit(rng, made, id_, starts, vet, 801 + animals[place])
    return made


def _slots(rng: Random, first: int, last: int) -> Iterator[int]:
    minute = first * 60 + rng.choice((0, 10))
    while minute < last * 60 - 35:
        yield minute
        minute += rng.choice((45, 50, 60, 75))


def epoch(day: date, minute: int) -> int:
    """That minute of the local day."""
    wall = datetime.combine(day, time(minute // 60, minute % 60), ZoneInfo(cast.ZONE))
    return int(wall.timestamp())


def booking(id_: int, starts: int, **fields: object) -> Record:
    """An appointment in the vendor's shape (v2)."""
    return {
        "id": id_, "active": True, "start_at": starts, "duration": 30, "type_id": cast.CONSULTATION,
        "status_id": None, "description": None, "animal_id": None, "contact_id": None, "consult_id": None,
        "sales_resource": None, "resources": None, "event_group": None, "cancellation_reason": None,
        "cancellation_reason_text": None, **fields,
    }  # fmt: skip


def _block(rng: Random, id_: int, starts: int, vet: int) -> Row:
    record = booking(id_, starts, type_id=cast.BLOCK, description=rng.choice(_BLOCKS), resources=[{"id": vet}])
    return Row(record, starts - 20 * _DAY)


def _visit(rng: Random, made: Day, id_: int, starts: int, vet: int, animal: int) -> None:
    kind = rng.choices((cast.CONSULTATION, cast.VACCINATION, cast.VIDEO, cast.REVISIT, cast.SURGERY), (5, 2, 5, 2, 1))[
        0
    ]
    minutes = {cast.VACCINATION: 15, cast.VIDEO: 20, cast.REVISIT: 15, cast.SURGERY: 60}.get(kind, 30)
    used = [{"id": vet}, {"id": cast.ROOMS[vet]}]
    if kind == cast.SURGERY:
        used.append({"id": cast.XRAY})
    rng.shuffle(used)
    record = booking(
        id_,
        starts,
        duration=minutes,
        type_id=kind,
        status_id=rng.choice((cast.NO_STATUS, None)),
        description=rng.choice(_REASONS),
        animal_id=animal,
        contact_id=None if rng.random() < 0.2 else 401 + (animal - 801) % 12,
        sales_resource=vet,
        resources=used,
    )
    row = Row(record, starts - rng.randint(1, 6) * _DAY)
    made.setdefault("appointment", []).append(row)
    fate = rng.random()
    row.changes.append((starts - 20 * 60 * _MINUTE, {"status_id": cast.CONFIRMED}))
    if fate < 0.06:
        row.changes.append((starts - 3 * 60 * _MINUTE, _taken_out("Owner cancelled", 1)))
        return
    if fate < 0.12:
        row.changes.append((starts + 20 * _MINUTE, _taken_out("No show", 2)))
        return
    ends = starts + minutes * _MINUTE
    linked = fate < 0.9
    consult = id_ + CONSULT_IDS
    row.changes += [
        (starts - rng.randint(2, 12) * _MINUTE, {"status_id": cast.ARRIVED}),
        (starts + 2 * _MINUTE, {"status_id": cast.IN_ROOM, **({"consult_id": consult} if linked else {})}),
        (ends, {"status_id": cast.TO_CHECK_OUT}),
        (ends + 10 * _MINUTE, {"status_id": cast.COMPLETED}),
    ]
    _consult(rng, made, consult, starts, ends, vet, animal, kind, str(record["description"]))


def _taken_out(text: str, reason: int) -> Record:
    return {"active": False, "cancellation_reason": reason, "cancellation_reason_text": text}


def _consult(
    rng: Random, made: Day, id_: int, starts: int, ends: int, vet: int, animal: int, kind: int, reason: str
) -> None:
    """The consult and its parts, as they are written during the visit."""

    def part(resource: str, digit: int, at: int, **fields: object) -> None:
        shared = {"id": id_ * 10 + digit, "active": True, "consult_id": id_, "timestamp": at, "vet_id": vet}
        made.setdefault(resource, []).append(Row({**shared, **fields}, at))

    at = starts + 2 * _MINUTE
    made.setdefault("consult", []).append(
        Row({"id": id_, "active": True, "date": at, "animal_id": animal, "vet_id": vet, "description": reason,
             "code": f"C{id_}", "ownership_id": 1}, at)
    )  # fmt: skip
    problem, drug = rng.choice(cast.PROBLEMS), rng.choice(cast.PRODUCTS)
    heart, breath = rng.randint(70, 140), rng.randint(16, 36)
    part("history", 1, at + _MINUTE, animal_id=animal, history_system=1,
         comments=f"<p>{reason}.</p><p>Eating &amp; drinking <b>well</b>.</p>")  # fmt: skip
    part("healthstatus", 2, at + 2 * _MINUTE, animal_id=animal, weight=round(rng.uniform(2, 30), 1), weight_unit="kg",
         temperature=round(rng.uniform(38.0, 39.4), 1), temperature_unit="C", heart_rate=heart,
         respiratory_rate=breath, blood_pressure="")  # fmt: skip
    part("physicalexam", 3, at + 4 * _MINUTE, animal_id=animal, comments="Bright, alert. HR <b>normal</b>, MM pink.")
    part("assessment", 4, ends - 2 * _MINUTE, animal_id=animal, comments=f"{problem[1]}, mild.")
    part("plan", 5, ends - _MINUTE, animal_id=animal, comments="<ul><li>Rest</li><li>Revisit in a week</li></ul>")
    part("presentingproblemlink", 6, ends, animal_id=animal, presenting_problem_id=problem[0])
    if kind == cast.VACCINATION:
        part("vaccination", 7, ends, product_id=802, qty="1", description="C5 vaccine", notes="Left flank")
    elif rng.random() < 0.5:
        part("prescription", 7, ends, animal_id=animal)
        item = {"id": id_ * 10 + 7, "active": True, "prescription_id": id_ * 10 + 7, "product_id": drug[0],
                "qty": "15 ml", "instructions": "0.5 ml once daily with food"}  # fmt: skip
        made.setdefault("prescriptionitem", []).append(Row(item, ends))
    part("therapeutic", 8, ends, animal_id=animal, name="Nail trim", comments="")
    part("invoiceline", 9, ends + 5 * _MINUTE, animal_id=animal, invoice_id=id_, product_id=drug[0],
         name="Consultation fee", quantity="1", total="89.00", status="Finalised")  # fmt: skip


def week_around(now: datetime) -> Iterator[date]:
    """The days the book shows where nobody says which."""
    today = now.astimezone(ZoneInfo(cast.ZONE)).date()
    return (today + timedelta(days=offset) for offset in range(-8, 16))
