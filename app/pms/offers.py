"""What an adapter answers to a question its capabilities say it cannot answer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from app.domain.consultation import ConsultationRef, Consulted
from app.domain.window import Window
from app.pms.port import ClientPage, Page


class NotOffered(NotImplementedError):
    """Somebody asked without looking at the capabilities first: a mistake of ours, not the vendor's."""


class NoConsultations:
    """For vendors without clinical records in reach."""

    def consultations(self, wanted: Sequence[ConsultationRef]) -> Iterator[Consulted]:  # noqa: ARG002
        raise NotOffered("consultations")


class NoChanges:
    """For vendors that do not tell what changed since an instant: they are always swept."""

    def changes(self, since: datetime, practitioner_ids: Iterable[str]) -> Iterator[Page]:  # noqa: ARG002
        raise NotOffered("changes")


class NoDiscovery:
    """For vendors that do not tell who their clients are."""

    def clients(self, window: Window) -> Iterator[ClientPage]:  # noqa: ARG002
        raise NotOffered("clients")
