"""ezyVet in front of the kit."""

from __future__ import annotations

from tests.contract.case import Case, Poison
from tests.contract.rigs.ezyvet import LIST, TOKEN, EzyvetClinic

CASE = Case(
    kind="ezyvet",
    states={
        "booked": "booked",
        "confirmed": "confirmed",
        "arrived": "arrived",
        "in_progress": "in_progress",
        "completed": "completed",
        "cancelled": "cancelled",
        "no_show": "no_show",
    },
    unknown_word="Pencilled In",
    poisons=(
        Poison({"duration": "a while"}, path="duration"),
        Poison({"type_id": {"odd": 1}}, path="type_id"),
    ),
    list_path=LIST,
    token_path=TOKEN,
    looping={"loops": True},
    page_size=200,
    lacks={"groups": "An appointment at ezyVet is of one animal."},
    rig=EzyvetClinic,
)
