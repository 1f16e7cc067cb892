"""Which columns of a run sheet row belong to the PMS, and which of them a person would notice changing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any
from uuid import UUID

from app.domain.status import Status, VisitTimes, times_after

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
    "telehealth_url",
    "location",
    "patient_name",
    "patient_phone",
    "patient_email",
    "patient_dob",
    "patients",
    "time_doubt",
)

#: Written with the content, but derived: from the practice's choices, or from what we saw and when.
PMS_DERIVED = (
    "is_telehealth",
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


def seen_stamps(old: Mapping[str, Any], new: Mapping[str, Any], now: datetime) -> dict[str, datetime | None]:
    """When we saw the PMS's status become what it is. A status met on first sight has no such time.

    Of words we do not know each is a status of its own.
    """
    status = new["pms_status"]
    if status == old["pms_status"] and (status != Status.UNKNOWN or new["pms_status_raw"] == old["pms_status_raw"]):
        return {name: old[name] for name in SEEN}
    seen = VisitTimes(old["pms_arrived_seen_at"], old["pms_started_at"], old["pms_ended_at"])
    seen = times_after(seen, Status(status), now)
    return dict(zip(SEEN, (now, seen.arrived_at, seen.started_at, seen.ended_at), strict=True))


#: Derived, and shown: told with the change that brought them, or nobody could say later what the page showed.
TOLD_ALONG = ("run_sheet_id", "is_telehealth", *SEEN)


def told_along(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, list[Any]]:
    """{column: [old, new]} of what a change of the content brought with it."""
    return {name: [plain(old[name]), plain(new[name])] for name in TOLD_ALONG if old[name] != new[name]}


def changes_between(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, list[Any]]:
    """{column: [old, new]} over the PMS's content, in JSON's own types."""
    return {
        name: [plain(old[name]), plain(new[name])]
        for name in PMS_CONTENT
        if old[name] != new[name] and plain(old[name]) != plain(new[name])
    }


def plain(value: Any) -> Any:
    """The value as JSON holds it."""
    if isinstance(value, UUID):
        return str(value)
    return value.isoformat() if isinstance(value, datetime | date) else value
