"""Cliniko: no status words but marks, so most states say nothing more than that somebody came."""

from __future__ import annotations

from tests.contract.case import Case, Poison

CASE = Case(
    kind="cliniko",
    states={
        "booked": "booked",
        "confirmed": "booked",
        "arrived": "arrived",
        "in_progress": "arrived",
        "completed": "arrived",
        "cancelled": "cancelled",
        "no_show": "no_show",
    },
    unknown_word=None,
    poisons=(
        Poison({}, drop=("starts_at",), path="starts_at"),
        Poison({"starts_at": "2026-03-09T09:00:00"}, path="starts_at"),
        Poison({"patient": {}}, path="patient.links"),
        Poison({"patient_arrived": "yes"}, path="patient_arrived"),
    ),
    list_path="/individual_appointments",
    looping={"loop": True},
    page_size=101,
    lacks={"joint visits": "A Cliniko booking has one practitioner."},
)
