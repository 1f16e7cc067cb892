"""What a server says it offers: its CapabilityStatement. A hint, since statements over- and under-claim (§2.1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from app.domain.names import first_of
from app.pms import rows
from app.pms.errors import PmsAuthFailed, PmsForbidden, PmsMalformed, PmsNotConfigured, PmsNotFound
from app.pms.fhir import wire
from app.pms.fhir.client import FhirClient

METADATA = "/metadata"
#: R4, and R4B, which differs in nothing we read.
_VERSIONS = ("4.0", "4.3")


@dataclass(frozen=True, slots=True)
class Offer:
    """Of one resource. searchable: not only to be read by id. None: the statement does not go into that."""

    searchable: bool = True
    params: frozenset[str] | None = None
    includes: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Server:
    """resources: empty where the statement lists none; then everything is tried."""

    name: str | None = None
    resources: Mapping[str, Offer] = field(default_factory=dict)

    def has(self, resource: str) -> bool:
        return not self.resources or resource in self.resources

    def searchable(self, resource: str) -> bool:
        """Whether it may be searched; some are there to be read by id alone."""
        return self.has(resource) and self.resources.get(resource, Offer()).searchable

    def takes(self, resource: str, param: str) -> bool:
        """Whether a search by that parameter is worth trying: it is listed, or nothing is."""
        params = self.resources.get(resource, Offer()).params
        return self.searchable(resource) and (params is None or param in params)

    def includes(self, resource: str, name: str) -> bool:
        """Whether `_include` brings it along. Only where that is listed: nobody must answer to it."""
        listed = self.resources.get(resource, Offer()).includes or frozenset()
        return f"{resource}:{name}" in listed or "*" in listed


def ask(client: FhirClient) -> Server:
    """Read the statement, usually open to all. Raises PmsMalformed where there is no FHIR server at this address,
    PmsNotConfigured where it speaks another version, any other PmsError where nobody knows.
    """
    try:
        try:
            body = client.get_openly(METADATA)
        except (PmsAuthFailed, PmsForbidden):
            body = client.get(METADATA, route=METADATA)
    except PmsNotFound:
        raise PmsMalformed("no FHIR server at this address", path="$.resourceType") from None
    found, _ = rows.envelope(wire.capability, body)
    if found.resource_type != "CapabilityStatement":
        raise PmsMalformed("no capability statement", path="$.resourceType")
    version = found.fhir_version or ""
    if not version.startswith(_VERSIONS):
        spoken = version[:20] if version.replace(".", "").isalnum() else "another version"
        raise PmsNotConfigured(f"This server speaks FHIR {spoken}; Runsheet reads R4 (4.0.1). Ask for its R4 address.")
    return Server(first_of((found.implementation.description if found.implementation else None,)), _offers(found))


def _offers(found: wire.Capability) -> dict[str, Offer]:
    resources = [one for rest in found.rest or () if rest.mode in (None, "server") for one in rest.resource or ()]
    return {
        one.type: Offer(
            one.interaction is None or any(each.code == "search-type" for each in one.interaction),
            frozenset(param.name for param in one.search_param) if one.search_param else None,
            frozenset(one.search_include) if one.search_include else None,
        )
        for one in resources
    }
