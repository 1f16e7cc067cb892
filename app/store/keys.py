"""Whether every master key this database was written with is here; a lost key is noticed at the start, not later."""

from __future__ import annotations

from sqlalchemy import select

from app.errors import SettingsError
from app.security.vault import Vault
from app.store.db import Store
from app.store.models import EncryptionKey


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
        with store.write() as session:
            session.merge(EncryptionKey(key_id=vault.current_key_id))
