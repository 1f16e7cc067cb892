"""AVImark (Covetrus, on the clinic's own server). Nothing here was ever run against a live system."""

from __future__ import annotations

from typing import ClassVar

from app.pms.onpremise.adapter import OnPremiseAdapter
from app.pms.onpremise.preset import AVIMARK, Preset
from app.pms.onpremise.settings import credentials
from app.pms.port import CredentialField, Evidence


class AvimarkAdapter(OnPremiseAdapter):
    """AVImark through its drop folder or the VetData bridge."""

    preset: ClassVar[Preset] = AVIMARK
    kind: ClassVar[str] = AVIMARK.kind
    label: ClassVar[str] = AVIMARK.label
    credentials: ClassVar[tuple[CredentialField, ...]] = credentials(AVIMARK.label)
    evidence: ClassVar[Evidence] = Evidence(
        documented="That AVImark has no public interface of its own, that its reports and searches export rows, and "
        "that a whiteboard tells where a patient is: the vendor's help pages and partners' guides.",
        seen_in_code="The VetData bridge's addresses, log-in, envelope, paging, filters, tombstones, clients and "
        "patients; that doctors are told by initials and times are local: public clients and a public converter.",
        ours="The files and their manifest are a contract of our own; the bridge's appointments, every status word and "
        "the clinic's time zone are assumed. Neither way was ever run against a live system.",
    )
