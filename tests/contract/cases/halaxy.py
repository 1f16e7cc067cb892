"""Halaxy in front of the kit. Its rows are places: `<visit>/<patient>`."""

from __future__ import annotations

from tests.contract.case import Case, Poison

CASE = Case(
    kind="halaxy",
    states={
        "booked": "booked",
        "confirmed": "confirmed",
        "arrived": "arrived",
        "in_progress": "arrived",
        "completed": "completed",
        "cancelled": "cancelled",
        "no_show": "no_show",
    },
    unknown_word="pencilled in",
    poisons=(
        Poison({}, drop=("start",), path="start"),
        Poison({"start": "soon"}, path="start"),
        Poison({"minutesDuration": "fifty"}, path="minutesDuration"),
    ),
    list_path="/Appointment",
    token_path="/oauth/token",
    looping={"stuck": "rows"},
    page_size=100,
    no_end=Poison({"end": None, "minutesDuration": None}),
)
