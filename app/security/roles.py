"""Who may do what. Deny by default: a route names one permission and only the roles listed here hold it."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum


class Role(StrEnum):
    RECEPTIONIST = "receptionist"
    CLINICIAN = "clinician"
    ADMIN = "admin"
    OWNER = "owner"


class Permission(StrEnum):
    SHEET_READ = "sheet:read"
    STATUS_WRITE = "status:write"
    NOTE_WRITE = "note:write"
    WALK_IN = "walk_in:create"
    SYNC_NOW = "sync:now"
    HISTORY_READ = "history:read"
    CONNECTIONS_READ = "connections:read"
    CONNECTIONS_WRITE = "connections:write"
    MAPPING_WRITE = "mapping:write"
    TYPES_WRITE = "types:write"
    CLINICAL_NOTES = "notes:read"
    QUARANTINE = "quarantine:write"
    PATIENTS_READ = "patients:read"
    PATIENTS_WRITE = "patients:write"
    USERS_WRITE = "users:write"
    VENDOR_ADDRESS = "vendor_address:write"


_P = Permission
_RECEPTIONIST = frozenset(
    {
        *(_P.SHEET_READ, _P.STATUS_WRITE, _P.NOTE_WRITE, _P.WALK_IN, _P.SYNC_NOW, _P.HISTORY_READ),
        _P.PATIENTS_READ,
    }
)
_ADMIN = _RECEPTIONIST | {
    *(_P.CONNECTIONS_READ, _P.CONNECTIONS_WRITE, _P.MAPPING_WRITE, _P.TYPES_WRITE, _P.QUARANTINE, _P.USERS_WRITE),
    _P.PATIENTS_WRITE,
}

#: Owner holds all that admin holds, admin all that receptionist holds; clinician stands apart (own rows only for
#: status and note, checked per row; clinical notes of own cases).
GRANTS: dict[Role, frozenset[Permission]] = {
    Role.RECEPTIONIST: _RECEPTIONIST,
    Role.CLINICIAN: frozenset(
        {
            *(_P.SHEET_READ, _P.STATUS_WRITE, _P.NOTE_WRITE, _P.SYNC_NOW, _P.HISTORY_READ, _P.CLINICAL_NOTES),
            _P.PATIENTS_READ,
        }
    ),
    Role.ADMIN: _ADMIN,
    Role.OWNER: _ADMIN | {_P.VENDOR_ADDRESS},
}


def allows(role: Role, permission: Permission) -> bool:
    return permission in GRANTS[role]


def may_change_row(role: Role, own_row: bool) -> bool:
    """Whether someone who holds a write permission may use it on this row: clinicians only on their own."""
    return own_row or role is not Role.CLINICIAN


def may_read_notes(role: Role, own_case: bool) -> bool:
    """Clinical notes: the appointment's clinician and nobody else, whatever else their role allows."""
    return own_case and allows(role, Permission.CLINICAL_NOTES)


def key_may_read_notes(scopes: Collection[str] | None) -> bool:
    """A key reads them only where `notes:read` was given by name: neither no list nor the wildcard includes it."""
    return Permission.CLINICAL_NOTES.value in (scopes or ())
