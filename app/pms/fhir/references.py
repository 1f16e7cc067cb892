"""Who a reference means. They come relative, absolute, versioned, contained, by fullUrl, or as a name alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from app.pms.fhir import wire

CONTAINED = "#"


class Target(NamedTuple):
    """`Patient` and its id. Contained: the type is "#". id "": somebody of that type whom the server did not name."""

    type: str
    id: str


def target_of(reference: wire.Reference | None, by_url: Mapping[str, Target]) -> Target | None:
    """The type and id; None where neither is told. by_url: what the bundle's own addresses stand for.

    An address on another host counts by its type and id as well: behind a load balancer a server's own name differs
    from the one we know it by [assumed].
    """
    if reference is None:
        return None
    text = (reference.reference or "").strip()
    if text.startswith("#"):
        return Target(CONTAINED, text[1:])
    if text in by_url:
        return by_url[text]
    parts = text.partition("?")[0].split("/")
    if len(parts) > 3 and parts[-2] == "_history":
        parts = parts[:-2]
    if len(parts) >= 2 and parts[-1] and parts[-2][:1].isupper():
        return Target(parts[-2], parts[-1])
    return Target(reference.type.rpartition("/")[2], "") if reference.type else None
