"""A consultation as one text, to be sealed; and how a newer answer is laid over an older one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from app.domain.consultation import Consultation, Item, Measure, Vitals

#: What `Consultation.missing` may name, which are the names of the fields themselves.
PARTS = (
    "subjective",
    "objective",
    "assessment",
    "plan",
    "vitals",
    "diagnoses",
    "treatments",
    "items",
    "declined",
    "discharge",
)
_MEASURES = ("temperature", "pulse", "respiration", "weight")
_ITEMS = ("treatments", "items", "declined")


def to_text(consultation: Consultation) -> str:
    """As JSON; the same consultation always gives the same text."""
    return json.dumps(asdict(consultation), default=_plain, ensure_ascii=False, sort_keys=True)


def from_text(text: str) -> Consultation:
    """What `to_text` was given. Raises ValueError for anything else."""
    try:
        told: dict[str, Any] = json.loads(text)
        told |= {name: tuple(Item(**one) for one in told[name]) for name in _ITEMS}
        told |= {name: tuple(told[name]) for name in ("diagnoses", "missing")}
        told["vitals"] = tuple(_vitals(one) for one in told["vitals"])
        told["held_at"] = _instant(told["held_at"])
        return Consultation(**told)
    except (KeyError, TypeError) as error:
        raise ValueError("not a consultation as we write it") from error


def laid_over(old: Consultation | None, new: Consultation) -> Consultation:
    """The newer answer; parts the vendor did not let us read this time stay as they were read before.

    Nothing is ever taken away on the word of an answer that says it is not whole.
    """
    if old is None or old.external_id != new.external_id:
        return new
    kept = {name: getattr(old, name) for name in new.missing if name in PARTS and not getattr(new, name)}
    return replace(new, **kept) if kept else new


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"a consultation holds no {type(value).__name__}")


def _vitals(told: Mapping[str, Any]) -> Vitals:
    measures = {name: Measure(**told[name]) if told[name] else None for name in _MEASURES}
    return Vitals(taken_at=_instant(told["taken_at"]), blood_pressure=told["blood_pressure"], **measures)


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
