"""Any FHIR R4 server."""

from __future__ import annotations

from tests.contract.case import Case, Poison

CASE = Case(
    kind="fhir",
    states={
        "booked": "booked",
        "confirmed": "booked",  # the standard has no word for it
        "arrived": "arrived",
        "in_progress": "arrived",  # checked-in; what goes on in the room is an Encounter's
        "completed": "completed",
        "cancelled": "cancelled",
        "no_show": "no_show",
    },
    unknown_word="roomed",
    poisons=(
        Poison({}, ("start",), "$.start"),
        Poison({"start": "2026-03-09T10:30:00"}, (), "$.start"),
        Poison({"status": 7}, (), "$.status"),
        Poison({"minutesDuration": "40"}, (), "$.minutesDuration"),
        Poison({"participant": [{"actor": "Patient/1"}]}, (), "$.participant[0].actor"),
    ),
    list_path="/Appointment",
    token_path="/token",
    looping={"next_link": "loop"},
    frozen={"clock": "clinic"},
)
