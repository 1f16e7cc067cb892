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


def system(kind: str) -> System:
    """Raises InvalidInput for a kind nobody registered."""
    found = adapter_class(kind)
    return System(kind, found.label, found.credentials, found.pairing, found.capabilities, found.evidence)


def systems() -> list[System]:
    return sorted((system(kind) for kind in ADAPTERS), key=lambda one: one.label)


def is_typed(kind: str) -> bool:
    """Whether a practice of that system types credentials of its own; False also for a system we do not know."""
    return kind in ADAPTERS and bool(adapter_class(kind).credentials)
