"""Gentu in front of the kit."""

from __future__ import annotations

from tests.contract.case import Case, Poison
from tests.contract.rigs.gentu import LIST, WORDS, GentuClinic

CASE = Case(
    kind="gentu",
    states={state: state for state in WORDS},
    unknown_word="pencilled in",
    poisons=(
        Poison({}, drop=("startAt",), path="startAt"),
        Poison({"startAt": "soon"}, path="startAt"),
        Poison({"participant": "nobody"}, path="participant"),
    ),
    no_end=Poison({"endAt": None, "minutesDuration": None, "appointmentType": {"reference": None}}),
    list_path=LIST,
    token_path="/oauth2/token",
    looping={"loops": True},
    page_size=100,
    rig=GentuClinic,
)
