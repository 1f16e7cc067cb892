"""MediRecords in front of the kit. It has no number for somebody who did not come: staff cancel, with a reason."""

from __future__ import annotations

from tests.contract.case import Case, Poison

CASE = Case(
    kind="medirecords",
    states={
        "booked": "booked",
        "confirmed": "confirmed",
        "arrived": "arrived",
        "in_progress": "in_progress",
        "completed": "completed",
        "cancelled": "cancelled",
        "no_show": "cancelled",
    },
    unknown_word="9",
    poisons=(
        Poison({}, drop=("scheduleTime",), path="scheduleTime"),
        Poison({"scheduleTime": "soon"}, path="scheduleTime"),
        Poison({"appointmentStatus": None}, path="appointmentStatus"),
    ),
    list_path="/v1/practices/6f1d7a52-4b3e-4c8e-9a77-1d0c5e2b9f10/appointments",
    looping={"stuck": True},
    page_size=100,
    no_end=Poison({"appointmentIntervalCode": None, "appointmentTypeId": None}),
    lacks={
        "blocks": "MediRecords' list has no blocks of time.",
        "groups": "An appointment at MediRecords is of one patient.",
        "instants": "MediRecords tells wall times of a zone it does not name.",
        "joint visits": "An appointment at MediRecords is with one provider.",
        "log-in": "MediRecords' token goes with every call; nothing is made.",
    },
)
