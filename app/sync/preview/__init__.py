"""What a person does with a vendor while they wait: pair, test, look at today before going live.

All of it happens in the request, within a deadline, and stores nothing of a patient. The pages may import this
package; the rest of `sync`, and all of `pms`, stays out of their sight.
"""

from app.sync.preview.credentials import change_credentials, checked, connect, credentials_set
from app.sync.preview.dry_run import DryRun, dry_run
from app.sync.preview.pairing import (
    Paired,
    check,
    discard,
    finish_pairing,
    new_connection,
    pair,
    read_catalogue,
    unpair,
)
from app.sync.preview.refusal import Refused, in_words
from app.sync.preview.systems import System, is_typed, known, system, systems

__all__ = [
    "DryRun",
    "Paired",
    "Refused",
    "System",
    "change_credentials",
    "check",
    "checked",
    "connect",
    "credentials_set",
    "discard",
    "dry_run",
    "finish_pairing",
    "in_words",
    "is_typed",
    "known",
    "new_connection",
    "pair",
    "read_catalogue",
    "system",
    "systems",
    "unpair",
]
