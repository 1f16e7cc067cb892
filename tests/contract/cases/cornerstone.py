"""Cornerstone over the bridge; its files have no HTTP and tests of their own (tests/pms/onpremise/test_files.py)."""

from __future__ import annotations

from app.sandbox.stage.model import STATES
from tests.contract.case import Case, Poison

CASE = Case(
    kind="cornerstone",
    states={state: state for state in STATES},
    unknown_word="Doctor wants a word",
    poisons=(
        Poison({"Duration": "long"}, path="$.Duration"),
        Poison({"PmsStatus": {"a": 1}}, path="$.PmsStatus"),
        Poison({"IsConfirmed": "perhaps"}, path="$.IsConfirmed"),
    ),
    list_path="/v2/Appointments",
    looping={"looping": True},
    page_size=250,
)
