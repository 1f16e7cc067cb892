"""What an adapter is handed to work with, and what its class must offer. No database, no Redis: only their shapes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

from app.config import VendorSettings
from app.pms.limits import Limiter, Limits
from app.pms.port import Capabilities, CredentialField, Evidence, PairingCode, PmsAdapter, Site
from app.pms.retry import never
from app.pms.tokens import TokenStores


@dataclass(frozen=True, slots=True)
class Tools:
    """One run's tools.

    limiter: one per process, shared by all adapters. connection: whose fair share of it is used (the connection's id).
    manual: a person is waiting. cancelled: asked between two requests and once a second while waiting.
    sleep: how to wait; None is the house clock's. credentials: what a person typed for this connection, by the names of
    the adapter's CredentialFields, decrypted. half_pages: a page of the usual size did not fit into memory; adapters
    whose vendor lets them choose ask for pages half as large (F58).
    """

    limiter: Limiter
    tokens: TokenStores
    connection: str
    manual: bool = False
    cancelled: Callable[[], bool] = never
    sleep: Callable[[float], None] | None = None
    credentials: Mapping[str, str] = field(default_factory=dict, repr=False)
    half_pages: bool = False

    def page_size(self, usual: int) -> int:
        """What to ask for where `usual` is what fits and the vendor allows."""
        return max(1, usual // 2) if self.half_pages else usual


class AdapterClass(Protocol):
    """The class side of an adapter: what can be asked before anything is opened."""

    kind: ClassVar[str]
    label: ClassVar[str]
    credentials: ClassVar[tuple[CredentialField, ...]]
    pairing: ClassVar[PairingCode | None]
    capabilities: ClassVar[Capabilities]
    evidence: ClassVar[Evidence]
    limits: ClassVar[Limits]

    def open(self, vendor: VendorSettings, site: Site, tools: Tools) -> PmsAdapter:
        """An adapter for one practice and one run. Makes no call. Raises PmsNotConfigured naming what is missing."""

    def base_url(self, vendor: VendorSettings) -> str:
        """The address this vendor would be asked at; "" where each practice types its own and the operator set none."""
