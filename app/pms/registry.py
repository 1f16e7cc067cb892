"""The vendors we speak to. A new one is a folder and a line in each table; modules are imported on first use."""

from __future__ import annotations

from importlib import import_module
from typing import Literal, cast

from app.errors import InvalidInput
from app.pms.tools import AdapterClass

#: kind -> "module:Class".
ADAPTERS: dict[str, str] = {
    "avimark": "app.pms.onpremise.avimark:AvimarkAdapter",
    "cornerstone": "app.pms.onpremise.cornerstone:CornerstoneAdapter",
    "ezyvet": "app.pms.ezyvet.adapter:EzyvetAdapter",
    "gentu": "app.pms.gentu.adapter:GentuAdapter",
    "intakeq": "app.pms.intakeq.adapter:IntakeqAdapter",
}

#: The vendors' documented hosts, and what they are.
HOSTS: dict[str, Literal["live", "vendor_sandbox"]] = {
    "api.ezyvet.com": "live",
    "apiv2.ezyvet.com": "live",
    "api.trial.ezyvet.com": "vendor_sandbox",
    "api.pm.magentus.com": "live",
    "api.pm.sandbox.magentus.com": "vendor_sandbox",
    "api.vetdata.net": "live",
    "intakeq.com": "live",
}


def adapter_class(kind: str) -> AdapterClass:
    """The adapter of that kind. Raises InvalidInput for a kind nobody registered."""
    if kind not in ADAPTERS:
        raise InvalidInput({"pms": f"“{kind}” is not a system we speak to. Known: {', '.join(sorted(ADAPTERS))}."})
    module, name = ADAPTERS[kind].split(":")
    return cast(AdapterClass, getattr(import_module(module), name))
