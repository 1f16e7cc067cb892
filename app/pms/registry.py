"""The vendors we speak to. A new one is a folder and a line in each table; modules are imported on first use."""

from __future__ import annotations

import re
from importlib import import_module
from typing import Literal, cast

from app.errors import InvalidInput
from app.pms.tools import AdapterClass

#: kind -> "module:Class".
ADAPTERS: dict[str, str] = {
    "avimark": "app.pms.onpremise.avimark:AvimarkAdapter",
    "cliniko": "app.pms.cliniko.adapter:ClinikoAdapter",
    "cornerstone": "app.pms.onpremise.cornerstone:CornerstoneAdapter",
    "ezyvet": "app.pms.ezyvet.adapter:EzyvetAdapter",
    "fhir": "app.pms.fhir.adapter:FhirAdapter",
    "gentu": "app.pms.gentu.adapter:GentuAdapter",
    "halaxy": "app.pms.halaxy.adapter:HalaxyAdapter",
    "idexx_neo": "app.pms.idexx_neo.adapter:IdexxNeoAdapter",
    "intakeq": "app.pms.intakeq.adapter:IntakeqAdapter",
    "medirecords": "app.pms.medirecords.adapter:MedirecordsAdapter",
    "vetspire": "app.pms.vetspire.adapter:VetspireAdapter",
}

#: The vendors' documented hosts, and what they are.
HOSTS: dict[str, Literal["live", "vendor_sandbox"]] = {
    "api.ezyvet.com": "live",
    "apiv2.ezyvet.com": "live",
    "api.trial.ezyvet.com": "vendor_sandbox",
    "api.pm.magentus.com": "live",
    "api.pm.sandbox.magentus.com": "vendor_sandbox",
    "au-api.halaxy.com": "live",
    "eu-api.halaxy.com": "live",
    "api.vetdata.net": "live",
    "intakeq.com": "live",
    "us.idexxneo.com": "live",
    "ca.idexxneo.com": "live",
    "uk.idexxneo.com": "live",
    "api.medirecords.com": "live",
    "api.vetspire.com": "live",
    "api2.vetspire.com": "live",
    "api.sandbox.vetspire.com": "vendor_sandbox",
    "api.staging.vetspire.com": "vendor_sandbox",
}
#: Of vendors with a host per region, which they may add to.
HOST_PATTERNS: dict[re.Pattern[str], Literal["live", "vendor_sandbox"]] = {
    re.compile(r"api\.[a-z]{2}[0-9]{1,2}\.cliniko\.com"): "live",
}


def documented(host: str) -> Literal["live", "vendor_sandbox"] | None:
    """What a vendor's own host is; None for every other."""
    name = host.lower()
    patterns = (kind for pattern, kind in HOST_PATTERNS.items() if pattern.fullmatch(name))
    return HOSTS.get(name) or next(patterns, None)


def adapter_class(kind: str) -> AdapterClass:
    """The adapter of that kind. Raises InvalidInput for a kind nobody registered."""
    if kind not in ADAPTERS:
        raise InvalidInput({"pms": f"“{kind}” is not a system we speak to. Known: {', '.join(sorted(ADAPTERS))}."})
    module, name = ADAPTERS[kind].split(":")
    return cast(AdapterClass, getattr(import_module(module), name))
