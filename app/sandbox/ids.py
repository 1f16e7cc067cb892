"""Ids that are the same at every start: uuid5 of a stable name, so that a restart is never a mass removal."""

from __future__ import annotations

from uuid import NAMESPACE_URL, uuid5

_ROOM = uuid5(NAMESPACE_URL, "https://sandbox.runsheet.example/")


def stable_id(*names: object) -> str:
    """The UUID of something by the names that lead to it, for example (tenant, "prac-001")."""
    return str(uuid5(_ROOM, "/".join(str(name) for name in names)))
