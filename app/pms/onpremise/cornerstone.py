"""Cornerstone (IDEXX, on the clinic's own server). Nothing here was ever run against a live system."""

from __future__ import annotations

from typing import ClassVar

from app.pms.onpremise.adapter import OnPremiseAdapter
from app.pms.onpremise.preset import CORNERSTONE, Preset
from app.pms.onpremise.settings import credentials
from app.pms.port import CredentialField, Evidence


class CornerstoneAdapter(OnPremiseAdapter):
    """Cornerstone through its drop folder or the VetData bridge."""

    preset: ClassVar[Preset] = CORNERSTONE
    kind: ClassVar[str] = CORNERSTONE.kind
    label: ClassVar[str] = CORNERSTONE.label
    credentials: ClassVar[tuple[CredentialField, ...]] = credentials(CORNERSTONE.label)
    evidence: ClassVar[Evidence] = Evidence(
        documented="That Cornerstone has no public interface of its own, that its reports export rows, what its "
        "schedule holds (rooms, reasons for visit, blocked time, the Tickler File) and that a bridge's agent can lag: "
        "help pages of the vendor and of partners.",
        seen_in_code="The VetData bridge's addresses, log-in, envelope, paging, filters, tombstones, clients and "
        "patients: public clients of it.",
        ours="The files and their manifest are a contract of our own; the bridge's appointments, every status word and "
        "the clinic's time zone are assumed. Neither way was ever run against a live system.",
    )
