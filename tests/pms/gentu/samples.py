"""Replies written from the vendor's pages, and small changes to them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[2] / "samples" / "gentu"

TENANT = "5b1f6c1e-0a57-4c53-9b21-6f1f2d0c7a10"
PRACTITIONER = "e7b5a1d0-3b0c-4c2c-9a3d-7f1f3c2d5501"
OTHER_PRACTITIONER = "1c9be5a7-6e0f-4f0e-9a52-77d7b1a0c802"
PATIENT = "c0c8b8fe-2c51-4b8f-9f1c-1f64b2f6a701"
VIDEO = "0d6f0f9a-9a55-4b0e-8a6e-0b9d4f4f1c01"
NEW_PATIENT = "7a40a4c1-1d8f-4a7c-9f61-3f8b4ad95d02"


def sample(name: str) -> Any:
    return json.loads((FOLDER / f"{name}.json").read_text())


def booking(**changes: Any) -> dict[str, Any]:
    """The sample's first appointment, with members changed; `drop` leaves some out."""
    drop = changes.pop("drop", ())
    return {
        name: value
        for name, value in {**sample("appointments")["appointments"][0], **changes}.items()
        if name not in drop
    }


def people(*participants: tuple[str, str | None] | tuple[str, str | None, str]) -> list[dict[str, Any]]:
    """Participants from (type, id) or (type, id, arrived)."""
    return [
        {"referenceType": one[0], "referenceId": one[1], **({"arrivedAt": one[2]} if len(one) > 2 else {})}
        for one in participants
    ]


def page(*rows: Any, following: str | None = None, **members: Any) -> dict[str, Any]:
    body = {"appointments": list(rows), "pagination": {"next": following, "limit": 100}}
    return {**body, "patients": sample("appointments")["patients"], **members}
