"""What an adapter answers to a question its capabilities say it cannot answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from app.domain.consultation import ConsultationRef, Consulted
from app.domain.window import Window
from app.pms.port import ClientPage


class NotOffered(NotImplementedError):
    """Somebody asked without looking at the capabilities first: a mistake of ours, not the vendor's."""


class NoConsultations:
    """For vendors without clinical records in reach."""

    def consultations(self, wanted: Sequence[ConsultationRef]) -> Iterator[Consulted]:  # noqa: ARG002
        raise NotOffered("consultations")


class NoDiscovery:
    """For vendors that do not tell who their clients are."""

    def clients(self, window: Window) -> Iterator[ClientPage]:  # noqa: ARG002
        raise NotOffered("clients")
