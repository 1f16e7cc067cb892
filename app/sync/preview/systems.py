"""The systems a practice can connect, as a wizard shows them: drawn from each adapter's own declarations."""

from __future__ import annotations

from dataclasses import dataclass

from app.pms.port import Capabilities, CredentialField, Evidence, PairingCode
from app.pms.registry import ADAPTERS, adapter_class


@dataclass(frozen=True, slots=True)
class System:
    kind: str
    label: str
    credentials: tuple[CredentialField, ...]
    pairing: PairingCode | None
    capabilities: Capabilities
    evidence: Evidence

    @property
    def offers(self) -> str:
        """What it does beyond telling appointments, in a sentence."""
        offered = [words for name, words in _OFFERS.items() if getattr(self.capabilities, name)]
        return f"Beyond appointments: {'; '.join(offered)}." if offered else "Appointments, and nothing beyond them."


_OFFERS = {
    "consultations": "notes of finished visits",
    "discovery": "finding patients nobody knew",
    "incremental": "telling what changed since the last look",
    "telehealth_links": "the link a patient joins by",
    "per_patient_status": "a status for each patient of a group",
    "schedule_config": "its opening hours",
    "writes": "being told how far a visit has come",
    "webhooks": "telling of changes by itself",
}


def system(kind: str) -> System:
    """Raises InvalidInput for a kind nobody registered."""
    found = adapter_class(kind)
    return System(kind, found.label, found.credentials, found.pairing, found.capabilities, found.evidence)


def known(kind: str) -> System | None:
    """None for a system we no longer speak to."""
    return system(kind) if kind in ADAPTERS else None


def systems() -> list[System]:
    return sorted((system(kind) for kind in ADAPTERS), key=lambda one: one.label.casefold())


def is_typed(kind: str) -> bool:
    """Whether a practice of that system types credentials of its own; False also for a system we do not know."""
    return kind in ADAPTERS and bool(adapter_class(kind).credentials)
