"""What the house asks of a PMS. One Protocol, one folder per vendor; what a vendor cannot do it says in `capabilities`.

Every fetch either ends (and is then complete) or raises a PmsError: an error is never an empty list.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, Protocol

from app.domain.appointment import Appointment, AppointmentType, Client, Patient, PracticeIdentity, Practitioner
from app.domain.consultation import ConsultationRef, Consulted
from app.domain.opening import Opening
from app.domain.status import Status
from app.domain.window import Window
from app.pms.limits import Limits


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What this vendor offers beyond the base sweep. The house asks these flags, never the vendor's name."""

    pairing_code: bool = False
    consultations: bool = False
    discovery: bool = False
    webhooks: bool = False
    incremental: bool = False  # it tells what changed since an instant
    telehealth_links: bool = False
    per_patient_status: bool = False
    #: What it can be told of a visit (R49): then the adapter is a `StatusWriter`.
    writes: tuple[Status, ...] = ()
    schedule_config: bool = False  # it tells when the practice is open; see TellsHours
    #: Asking for one id tells whether it still exists (needed before anything is called gone).
    lookup_by_id: bool = True


@dataclass(frozen=True, slots=True)
class CredentialField:
    """A value a person types to connect: the form and the command line draw themselves from these.

    choices: (value, words) where it is one of a few. lines: it may have several lines, as a private key does.
    """

    name: str
    label: str
    help: str  # where in the vendor's own screens to find it
    secret: bool = True
    required: bool = True
    choices: tuple[tuple[str, str], ...] = ()
    lines: bool = False


@dataclass(frozen=True, slots=True)
class PairingCode:
    """A one-time code instead of credentials."""

    length: int
    help: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """How sure we are of what this adapter does; shown in the wizard and in docs/adapters.md."""

    documented: str
    seen_in_code: str
    ours: str
    run_live: bool = False


@dataclass(frozen=True, slots=True)
class Partition:
    """A stretch of the sweep that is fetched as one chain of pages: a practitioner and at most a week.

    known: digests of pages of this chain whose records were read and written before; such a page may be unread.
    ids_only: only what stands where is asked for; a page may say that in `ids`, and bring no appointments.
    """

    key: str
    window: Window
    practitioner_id: str = ""
    known: Collection[bytes] = field(default=(), compare=False, repr=False)
    ids_only: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class Rejected:
    """A record that could not be read: where and why, never the value. `payload` is its raw JSON."""

    external_id: str | None
    path: str
    reason: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a partition, mapped. `received` counts every record on it, readable or not.

    from_start: the first page of its chain, also where a cursor was given and the vendor no longer knew it.
    digest: of everything the records are made from, cursors apart; the same digest means the same records. None where
    nobody can promise that: a record could not be read, or something had to be asked for besides.
    read: set where the digest was known and the page is handed over unread, without its records; reads it after all.
    ids: {id: start} of records that were not mapped, because no more was asked for (Partition.ids_only).
    as_of: when what it tells was true, where that is before the reading: a file that was written this morning.
    """

    appointments: Sequence[Appointment]
    rejected: Sequence[Rejected] = ()
    received: int = 0
    next_cursor: str | None = None
    from_start: bool = False
    digest: bytes | None = None
    read: Callable[[], Page] | None = None
    ids: Mapping[str, datetime] = field(default_factory=dict)
    as_of: datetime | None = None

    @property
    def starts(self) -> dict[str, datetime]:
        """{id: start} of every record that could be read, mapped or not."""
        return {one.external_id: one.starts_at for one in self.appointments} | dict(self.ids)


@dataclass(frozen=True, slots=True)
class ClientPage:
    """One page of the people a discovery met. Somebody met twice in a run may come twice. `received` as of a Page."""

    clients: Sequence[Client]
    rejected: Sequence[Rejected] = ()
    received: int = 0


@dataclass(frozen=True, slots=True)
class Health:
    healthy: bool
    message: str
    latency_ms: int | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Site:
    """Which practice at the vendor, and how to read it. No secrets: tokens come through the HTTP client."""

    #: tenant_id, pms_practice_id or organization_id, whichever the vendor uses.
    external_id: str | None
    #: The practice's own zone; used where the vendor names none.
    timezone: str
    #: Raw status words the practice has explained to us, -> our status value.
    status_words: Mapping[str, str] = field(default_factory=dict)


class StatusWriter(Protocol):
    """An adapter whose vendor can be told how far a visit has come; its `capabilities.writes` says which statuses."""

    def set_status(self, external_id: str, to: Status) -> None:
        """Tell the vendor, where it does not say so already: read, then write. Telling it twice changes nothing more.

        Raises PmsNotFound; PmsBadRequest, with reason `moved_on` where the visit has been called off or is over at the
        vendor, `no_word` where this practice has no word for it there, `several_patients` where it must be said
        of each patient; any other PmsError.
        """


class TellsHours(Protocol):
    """What an adapter offers besides, whose capabilities say `schedule_config`."""

    def schedule_config(self) -> Opening | None:
        """Hours, slot length and rooms of the practice's own calendar; None where the vendor tells none that can be
        read. Providers are left out: they are clinicians of ours. Raises PmsError.
        """


class PmsAdapter(Protocol):
    """One practice at one vendor, for the length of one run. Not shared between runs; `close` when done.

    `appointments` may be called from several threads at once, each with its own partition.
    """

    kind: ClassVar[str]
    label: ClassVar[str]
    credentials: ClassVar[tuple[CredentialField, ...]]
    pairing: ClassVar[PairingCode | None]
    capabilities: ClassVar[Capabilities]
    evidence: ClassVar[Evidence]
    #: What the vendor publishes of its limits, else our guess. What the operator sets wins: `Limits.of`.
    limits: ClassVar[Limits]

    def limit_key(self) -> str:
        """Whose rate limit a call uses: the credential, as the vendor counts it. No secret."""

    def authenticate(self) -> None:
        """Make sure a usable token is at hand. Raises PmsError."""

    def refresh_token(self) -> None:
        """Get a new token whatever the old one's age. Raises PmsError."""

    def validate_connection(self) -> bool:
        """Whether a signed request for this practice is answered."""

    def health_check(self) -> Health:
        """As validate_connection, with a sentence and the time it took. Does not raise PmsError."""

    def pair(self, code: str) -> str:
        """Spend a pairing code and return the vendor's id of the practice. Sent exactly once.

        Raises InvalidInput, without a call, where it cannot be a code; PairingRefused, whose reason `code_maybe_used`
        means that the answer was lost. After any other PmsError the code is unspent.
        """

    def identity(self) -> PracticeIdentity:
        """Who the vendor says this practice is."""

    def practitioners(self) -> list[Practitioner]:
        """Everybody the vendor lists, also those who left."""

    def appointment_types(self) -> list[AppointmentType]: ...

    def partitions(self, window: Window, practitioner_ids: Iterable[str]) -> list[Partition]:
        """The chains a sweep of `window` over these practitioners is made of."""

    def appointments(self, partition: Partition, cursor: str | None = None) -> Iterator[Page]:
        """The pages of one chain, from `cursor` on; the chain is complete when the iterator ends.

        Raises any PmsError; pages already yielded stay valid.
        """

    def changes(self, since: datetime, practitioner_ids: Iterable[str]) -> Iterator[Page]:
        """Appointments of whatever day that were made or changed at `since` or later, by the vendor's clock. An id may
        come twice; its later record is the newer one. What was deleted is not told of.

        Complete when the iterator ends; raises any PmsError. Needs `capabilities.incremental`.
        """

    def appointment(self, external_id: str) -> Appointment:
        """One appointment as it is now. Raises PmsNotFound when the vendor knows none, PmsMalformed with its path."""

    def patient(self, external_id: str) -> Patient:
        """One patient. Raises PmsNotFound."""

    def consultations(self, wanted: Sequence[ConsultationRef]) -> Iterator[Consulted]:
        """One answer for each that is wanted, in any order; the batch is as large as may be asked at once.

        What befalls a single one is its `reason`. Raises a PmsError only where no further call makes sense: refused
        log-in, limit reached, vendor away; answers already yielded stay valid. Needs `capabilities.consultations`.
        """

    def clients(self, window: Window) -> Iterator[ClientPage]:
        """Everybody with an appointment in `window`, for discovery. Complete when the iterator ends; raises PmsError.

        Needs `capabilities.discovery`.
        """

    def close(self) -> None: ...
