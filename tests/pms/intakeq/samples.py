"""The sample record of pms/intakeq.md §2.4, and small changes to it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[2] / "samples" / "intakeq"


def sample(name: str) -> Any:
    return json.loads((FOLDER / f"{name}.json").read_text())


def booking(**changes: Any) -> dict[str, Any]:
    """The sample with members changed; `drop` leaves some out."""
    drop = changes.pop("drop", ())
    return {name: value for name, value in {**sample("appointment"), **changes}.items() if name not in drop}
