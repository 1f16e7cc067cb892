"""Whether every master key this database was written with is here; a lost key is noticed at the start, not later."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite

from app.errors import SettingsError
from app.security.vault import Vault
from app.store.db import Store
from app.store.models import EncryptionKey

_INSERT: Mapping[str, Any] = {"postgresql": postgresql.insert, "sqlite": sqlite.insert}


def require_keys(store: Store, vault: Vault) -> None:
    """Remember the present key; raise SettingsError with a sentence where an older one is missing."""
    with store.read() as session:
        known = set(session.scalars(select(EncryptionKey.key_id)))
    missing = sorted(known - vault.key_ids)
    if missing:
        raise SettingsError(
            f"This database holds values encrypted with key {', '.join(missing)}, which is not configured. "
            "Set ENCRYPTION_KEY to the key it was made with (or add it to OLD_ENCRYPTION_KEYS)."
        )
    if vault.current_key_id not in known:
        make = _INSERT[store.dialect](EncryptionKey)
        with store.write() as session:  # web and worker may start at the same moment
            session.execute(make.values(key_id=vault.current_key_id).on_conflict_do_nothing())
