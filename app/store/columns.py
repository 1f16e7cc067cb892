"""Which columns of a run sheet row belong to the PMS, and which of them a person would notice changing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from app.domain.status import Status

#: Written by sync, never by staff; together they are what a fingerprint covers. Order matters to the fingerprint.
PMS_CONTENT = (
    "pms_patient_id",
    "pms_practitioner_id",
    "pms_practitioner_name",
    "pms_type_id",
    "pms_type_name",
    "starts_at",
    "ends_at",
    "appointment_duration_minutes",
    "pms_status",
    "pms_status_raw",
    "pms_arrived_at",
    "pms_cancelled_at",
    "pms_comment",
    "is_telehealth",
    "telehealth_url",
    "location",
    "patient_name",
    "patient_phone",
    "patient_email",
    "patient_dob",
    "patients",
)

#: Also the PMS's, but derived from what we saw and when, so no part of the content.
PMS_DERIVED = (
    "run_sheet_id",
    "fingerprint",
    "pms_status_changed_at",
    "pms_arrived_seen_at",
    "pms_started_at",
    "pms_ended_at",
    "pms_last_synced_at",
)


#: The derived stamps `seen_stamps` keeps.
SEEN = ("pms_status_changed_at", "pms_arrived_seen_at", "pms_started_at", "pms_ended_at")


def seen_stamps(old: Mapping[str, Any], status: str, now: datetime) -> dict[str, datetime | None]:
    """When we saw the PMS's status become what it is. A status met on first sight has no such time."""
    stamps = {name: old[name] for name in SEEN}
    if status != old["pms_status"]:
        stamps["pms_status_changed_at"] = now
        if status == Status.ARRIVED:
            stamps |= {"pms_arrived_seen_at": now, "pms_started_at": None, "pms_ended_at": None}
        elif status == Status.IN_PROGRESS:
            stamps |= {"pms_started_at": now, "pms_ended_at": None}
        elif status == Status.COMPLETED:
            stamps["pms_ended_at"] = now
    return stamps


def changes_between(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, list[Any]]:
    """{column: [old, new]} over the PMS's content, in JSON's own types."""
    return {
        name: [plain(old[name]), plain(new[name])]
        for name in PMS_CONTENT
        if old[name] != new[name] and plain(old[name]) != plain(new[name])
    }


def plain(value: Any) -> Any:
    """The value as JSON holds it."""
    return value.isoformat() if isinstance(value, datetime | date) else value
