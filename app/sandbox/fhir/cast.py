"""Ids as a FHIR server writes them: letters, digits, hyphens. A kind of visit is a coded concept, `system|code`."""

from __future__ import annotations

from app.sandbox.ids import stable_id
from app.sandbox.stage.cast import Setup

SYSTEM = "https://clinic.example/CodeSystem/visit"
_SHORT = {"visit": "ap", "patient": "pt", "person": "dr", "place": "loc", "owner": "own"}


def _id_of(*names: object) -> str:
    """names: the vendor, what it is, and what leads to it."""
    what = str(names[1])
    made = stable_id(*names).replace("-", "")
    return f"{SYSTEM}|v{made[:6]}" if what == "kind" else f"{_SHORT.get(what, 'x')}-{made[:20]}"


SETUP = Setup("fhir", "Harbour Telehealth", id_of=_id_of)
