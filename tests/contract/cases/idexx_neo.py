"""IDEXX Neo as the kit meets it, logged in to by its form: a browser for each test would prove nothing more."""

from __future__ import annotations

from tests.contract.case import Case, Poison

CASE = Case(
    kind="idexx_neo",
    states={
        "booked": "booked",
        "confirmed": "confirmed",
        "arrived": "arrived",
        "in_progress": "in_progress",
        "completed": "completed",
        "cancelled": "cancelled",
        "no_show": "no_show",
    },
    unknown_word="teleported",
    poisons=(
        Poison({"start": "this morning"}, path="start"),
        Poison({}, drop=("start",), path="start"),
        Poison({"patient_name": {"first": "Biscuit"}}, path="patient_name"),
        Poison({"end": "2026-02-30 09:00:00"}, path="end"),
    ),
    list_path="/appointments/getCalendarEventData",
    token_path="/login",
    lacks={
        "groups": "A Neo appointment is for one animal.",
        "joint visits": "A Neo appointment has one provider.",
        "instants": "Neo tells wall times of the practice, without an offset.",
    },
)
