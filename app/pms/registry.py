"""The vendors we speak to. A new one is a folder and a line in each table; modules are imported on first use."""

from __future__ import annotations

import re
from importlib import import_module
from typing import Literal, cast

from app.errors import InvalidInput
from app.pms.tools import AdapterClass

#: kind -> "module:Class".
ADAPTERS: dict[str, str] = {
    "cliniko": "app.pms.cliniko.adapter:ClinikoAdapter",
    "ezyvet": "app.pms.ezyvet.adapter:EzyvetAdapter",
    "gentu": "app.pms.gentu.adapter:GentuAdapter",
    "intakeq": "app.pms.intakeq.adapter:IntakeqAdapter",
    "vetspire": "app.pms.vetspire.adapter:VetspireAdapter",
}

#: The vendors' documented hosts, and what they are.
HOSTS: dict[str, Literal["live", "vendor_sandbox"]] = {
    "api.ezyvet.com": "live",
    "apiv2.ezyvet.com": "live",
    "api.trial.ezyvet.com": "vendor_sandbox",
    "api.pm.magentus.com": "live",
    "api.pm.sandbox.magentus.com": "vendor_sandbox",
    "intakeq.com": "live",
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
