"""Vetspire: one address for everything, errors in a success, no question for one appointment."""

from __future__ import annotations

from tests.contract.case import Case, Poison

CASE = Case(
    kind="vetspire",
    states={
        "booked": "booked",
        "confirmed": "confirmed",
        "arrived": "arrived",
        "in_progress": "in_progress",
        "completed": "completed",
        "cancelled": "cancelled",
        "no_show": "no_show",
    },
    unknown_word="GONE_FOR_A_WALK",
    poisons=(
        Poison({}, drop=("start",), path="start"),
        Poison({"start": "the other day"}, path="start"),
        Poison({"duration": 1e9}, path="duration"),
        Poison(
            {"patient": {"id": "7", "client": {"id": "8", "phoneNumbers": "none"}}}, path="patient.client.phoneNumbers"
        ),
    ),
    list_path="/graphql",
    looping={"loop": True},
    page_size=101,
    lookup_by_id=False,
    lacks={
        "groups": "A Vetspire appointment is for one animal.",
        "joint visits": "A Vetspire appointment has one provider.",
    },
)
