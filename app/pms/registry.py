"""The vendors we speak to. A new one is a folder and a line here; modules are imported on first use."""

from __future__ import annotations

from importlib import import_module
from typing import cast

from app.errors import InvalidInput
from app.pms.factory import AdapterClass

#: kind -> "module:Class".
ADAPTERS: dict[str, str] = {
    "gentu": "app.pms.gentu.adapter:GentuAdapter",
}


def adapter_class(kind: str) -> AdapterClass:
    """The adapter of that kind. Raises InvalidInput for a kind nobody registered."""
    if kind not in ADAPTERS:
        raise InvalidInput({"pms": f"“{kind}” is not a system we speak to. Known: {', '.join(sorted(ADAPTERS))}."})
    module, name = ADAPTERS[kind].split(":")
    return cast(AdapterClass, getattr(import_module(module), name))
