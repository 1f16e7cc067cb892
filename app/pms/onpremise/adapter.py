"""What both systems' adapters are: a feed, and what is made of its entries."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar

from app.config import VendorSettings
from app.domain.appointment import Appointment, AppointmentType, Patient, PracticeIdentity, Practitioner
from app.domain.window import Window, zone_of
from app.pms.errors import PmsAuthFailed, PmsForbidden
from app.pms.health import health_of
from app.pms.http import PmsHttp
from app.pms.limits import Limits
from app.pms.offers import NoChanges, NoConsultations, NoDiscovery, NotOffered
from app.pms.onpremise import bridge, login, mapping, settings
from app.pms.onpremise.bridge import BridgeFeed
from app.pms.onpremise.feed import Entry, Feed
from app.pms.onpremise.files import FileFeed
from app.pms.onpremise.preset import Preset
from app.pms.onpremise.settings import LIMITS, BridgeSettings, settings_of
from app.pms.port import (
    Capabilities,
    CredentialField,
    Evidence,
    Health,
    Page,
    PairingCode,
    Partition,
    PmsAdapter,
    Site,
)
from app.pms.registry import HOSTS
from app.pms.tokens import TokenManager
from app.pms.tools import Tools

#: Rows of a file that are handed on at once.
_ROWS_AT_ONCE = 500


class OnPremiseAdapter(NoChanges, NoConsultations, NoDiscovery):
    """One clinic for one run. `appointments` may be called from several threads at once."""

    preset: ClassVar[Preset]
    kind: ClassVar[str]
    label: ClassVar[str]
    credentials: ClassVar[tuple[CredentialField, ...]]
    evidence: ClassVar[Evidence]
    pairing: ClassVar[PairingCode | None] = None
    capabilities: ClassVar[Capabilities] = Capabilities()
    limits: ClassVar[Limits] = LIMITS

    def __init__(self, feed: Feed, site: Site) -> None:
        self._feed = feed
        self._site = site
        self._zone = zone_of(site.timezone)

    @classmethod
    def open(cls, vendor: VendorSettings, site: Site, tools: Tools) -> PmsAdapter:
        """An adapter ready to ask; opens and asks nothing. Raises PmsNotConfigured naming what is missing."""
        chosen = settings_of(cls.preset, vendor, tools.credentials)
        zone = zone_of(site.timezone)
        if isinstance(chosen, BridgeSettings):
            return cls(_bridge(chosen, cls.preset, site, tools), site)
        host = settings.host_of(cls.base_url(vendor))
        feed = FileFeed(chosen, zone, tools.page_size(_ROWS_AT_ONCE), simulated=host not in HOSTS)
        return cls(feed, site)

    @staticmethod
    def base_url(vendor: VendorSettings) -> str:
        return settings.base_url(vendor)

    def limit_key(self) -> str:
        return f"{self.kind} {self._feed.limit_key}"

    # --- are we let in? -------------------------------------------------------------------------------------------

    def authenticate(self) -> None:
        self._feed.authenticate()

    def refresh_token(self) -> None:
        self._feed.refresh()

    def validate_connection(self) -> bool:
        """Whether what was typed opens the clinic's data; False where it is refused, an error where nobody knows."""
        try:
            self._feed.authenticate()
            self._feed.check()
        except (PmsAuthFailed, PmsForbidden):
            return False
        return True

    def health_check(self) -> Health:
        return health_of(self.label, self._feed.check, self._feed.authenticate)

    def pair(self, code: str) -> str:  # noqa: ARG002
        raise NotOffered("pair")

    def identity(self) -> PracticeIdentity:
        return self._feed.identity()

    # --- who, what and when ---------------------------------------------------------------------------------------

    def practitioners(self) -> list[Practitioner]:
        return self._feed.practitioners()

    def appointment_types(self) -> list[AppointmentType]:
        return self._feed.types()

    def partitions(self, window: Window, practitioner_ids: Iterable[str]) -> list[Partition]:  # noqa: ARG002
        """Chains of everybody: neither a file nor the bridge is asked for one practitioner."""
        return [Partition(f"all/{one.first}/{one.last}", one) for one in self._feed.stretches(window)]

    def appointments(self, partition: Partition, cursor: str | None = None) -> Iterator[Page]:  # noqa: ARG002
        """A chain always begins anew: neither way has a place to go on at that would still be the same."""
        for number, batch in enumerate(self._feed.read(partition.window)):
            mapped = [self._mapped(one) for one in batch.entries]
            kept = [one for one in mapped if partition.window.holds(one.starts_at)]
            count = len(kept) + len(batch.rejected)
            yield Page(kept, batch.rejected, count, from_start=number == 0, as_of=batch.as_of)

    def appointment(self, external_id: str) -> Appointment:
        return self._mapped(self._feed.one(external_id))

    def patient(self, external_id: str) -> Patient:
        return self._feed.patient(external_id)

    def close(self) -> None:
        self._feed.close()

    def _mapped(self, entry: Entry) -> Appointment:
        return mapping.appointment(entry, self._zone, self.preset, self._site.status_words)


def _bridge(chosen: BridgeSettings, preset: Preset, site: Site, tools: Tools) -> BridgeFeed:
    http = PmsHttp(
        chosen.base_url,
        tools,
        limits=chosen.limits,
        limit_key=f"{preset.kind} {chosen.limit_key}",
        other_urls=(chosen.token_url,) if chosen.token_url else (),
    )
    tokens = None
    if chosen.token_url:
        tokens = TokenManager(
            tools.tokens.connection(),
            lambda _before: login.mint(http, chosen),
            sleep=tools.sleep,
            cancelled=tools.cancelled,
        )
        http.sign_with(tokens)
    return BridgeFeed(chosen, preset, zone_of(site.timezone), http, tokens, tools.page_size(bridge.PAGE_SIZE))
