"""The demo's own help: which simulated systems can be connected, and what opens them. Nowhere but in the demo.

`runsheet demo` starts the simulators, which write down what opens each; that file is read here, for the demo's practice
alone and never in production. Nothing in it opens anything but a simulator on this machine.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from app.store import practices
from app.store.models import PmsConnection
from app.store.models.connection import ConnectionState
from app.sync import preview
from app.sync.preview import System
from app.web.session import current
from app.wiring import settings, store

#: Where the demo's simulators write it, below the folder of what runs now (app/cli/demo.py).
READY = "sandbox.json"


@dataclass(frozen=True, slots=True)
class Simulators:
    """control_url: the page of orders. opens: kind -> field -> value."""

    control_url: str
    opens: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def simulators() -> Simulators | None:
    """The demo's, where this is its practice; None everywhere else."""
    if settings().production:
        return None
    told = _told()
    if told is None:
        return None
    with store().read() as session:
        if not practices.get(session, current().practice_id).is_demo:
            return None
    opens = {kind: one["credentials"] for kind, one in told["vendors"].items()}
    return Simulators(str(told["control_url"]), opens)


def prefilled(connection: PmsConnection) -> Simulators | None:
    """What may be filled in for a draft that speaks to a simulator."""
    if connection.state != ConnectionState.DRAFT or connection.environment != "simulator":
        return None
    return simulators()


def to_try(found: Simulators, known: Iterable[PmsConnection]) -> list[System]:
    """Simulated systems this practice has not connected yet."""
    taken = {one.pms_type for one in known if one.state != ConnectionState.DISCONNECTED}
    return [one for one in preview.systems() if one.kind in found.opens and one.kind not in taken]


def _told() -> dict[str, Any] | None:
    try:
        told: dict[str, Any] = json.loads((settings().runtime / READY).read_text())
    except (OSError, ValueError):
        return None
    return told
