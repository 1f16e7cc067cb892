"""Opens an adapter with everything it needs handed to it, and tells a live vendor from a simulated one."""

from __future__ import annotations

from typing import Literal
from urllib.parse import urlsplit

from app.config import VendorSettings
from app.pms.port import PmsAdapter, Site
from app.pms.registry import adapter_class, documented
from app.pms.tools import AdapterClass, Tools

__all__ = ["AdapterClass", "Tools", "environment_for", "environment_of", "open_adapter"]

Environment = Literal["live", "vendor_sandbox", "simulator"]


def open_adapter(kind: str, vendor: VendorSettings, site: Site, tools: Tools) -> PmsAdapter:
    """An adapter for one practice and one run; close it when done. Makes no call.

    Raises InvalidInput for a kind nobody registered, PmsNotConfigured where the operator has not set what it needs.
    """
    return adapter_class(kind).open(vendor, site, tools)


def environment_of(url: str) -> Environment:
    """What answers at this address: only a vendor's documented hosts are live, everything else counts as simulated.

    No address: the operator set none and each practice types its own server's, as a live one.
    """
    if not url:
        return "live"
    return documented(urlsplit(url).hostname or "") or "simulator"


def environment_for(kind: str, vendor: VendorSettings) -> Environment:
    """The environment a connection of that kind would belong to with these settings."""
    return environment_of(adapter_class(kind).base_url(vendor))
