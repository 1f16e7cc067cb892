"""Opens an adapter with everything it needs handed to it: the HTTP client, the limiter, the token store."""

from __future__ import annotations

from typing import ClassVar, Protocol

from app.config import VendorSettings
from app.pms.port import Capabilities, CredentialField, Evidence, PairingCode, PmsAdapter, Site


class AdapterClass(Protocol):
    kind: ClassVar[str]
    label: ClassVar[str]
    credentials: ClassVar[tuple[CredentialField, ...]]
    pairing: ClassVar[PairingCode | None]
    capabilities: ClassVar[Capabilities]
    evidence: ClassVar[Evidence]

    def open(self, vendor: VendorSettings, site: Site, tools: object) -> PmsAdapter: ...
