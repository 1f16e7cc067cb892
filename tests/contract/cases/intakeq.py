"""IntakeQ / PracticeQ in front of the kit."""

from __future__ import annotations

from tests.contract.case import Case, Poison
from tests.contract.rigs.intakeq import LIST, IntakeqClinic

CASE = Case(
    kind="intakeq",
    states={
        "booked": "booked",
        "confirmed": "confirmed",
        "arrived": "confirmed",
        "in_progress": "in_progress",
        "completed": "completed",
        "cancelled": "cancelled",
        "no_show": "no_show",
    },
    unknown_word="Pencilled",
    poisons=(
        Poison({}, drop=("StartDate", "StartDateIso", "StartDateLocal"), path="StartDate"),
        Poison({"Status": None}, path="Status"),
    ),
    list_path=LIST,
    looping={"ignores_page": True},
    page_size=100,
    no_end=Poison({}, drop=("Duration", "EndDate", "EndDateIso", "EndDateLocal")),
    lacks={
        "blocks": "IntakeQ's list has no blocks of time.",
        "joint visits": "An appointment at IntakeQ is with one practitioner.",
        "log-in": "IntakeQ's key goes with every call; there is no token.",
    },
    rig=IntakeqClinic,
)
