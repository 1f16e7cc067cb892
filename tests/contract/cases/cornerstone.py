"""Cornerstone by its files, the first of its two ways; the bridge has tests of its own (tests/pms/onpremise)."""

from __future__ import annotations

from functools import partial

from app.sandbox.stage.model import STATES
from tests.contract.case import Case, Poison
from tests.pms.onpremise.rig import DropClinic

CASE = Case(
    kind="cornerstone",
    states={state: state for state in STATES},
    unknown_word="Doctor wants a word",
    poisons=(
        Poison({"start_local": "soon"}, path="$.start_local"),
        Poison({"duration_min": "long"}, path="$.duration_min"),
        Poison({"patient_id": "5.5E+12"}, path="$.patient_id"),
    ),
    list_path=None,
    page_size=600,
    no_end=Poison({"duration_min": ""}),
    lacks={
        "groups": "Cornerstone has a row for each animal of one time.",
        "joint visits": "A row names one provider.",
        "log-in": "A folder has a key and no token.",
    },
    rig=partial(DropClinic, kind="cornerstone"),
)
