"""What the conformance kit has to know of a vendor. Each `cases/<kind>.py` gives one, named CASE."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tests.sandbox.process import RunningSandbox

#: What a vendor may have none of; the kit's tests about it are then skipped with the case's sentence.
Lacking = Literal[
    "blocks",
    "deleted rows",
    "discovery",
    "groups",
    "instants",
    "joint visits",
    "log-in",
    "moves",
    "patients by id",
    "types",
]


@dataclass(frozen=True, slots=True)
class Poison:
    """An order that makes one appointment's record unreadable, and how the adapter must tell of it."""

    fields: Mapping[str, Any]
    drop: tuple[str, ...] = ()
    path: str = ""  # the end of the path the record is set aside with


@dataclass(frozen=True, slots=True)
class Case:
    """A vendor as the kit meets it. Ids the adapter tells are the simulated clinic's own ids of visits and people.

    states: what the adapter must make of each state of the clinic (app/sandbox/stage/model.py), as our status' value;
    where a vendor has no word for a state, the one its nearest word means.
    unknown_word: a word for `change(word=…)` that the vendor never says; None where its status is no word.
    list_path: the appointment list, below the base, for faults; None: no HTTP. token_path: where tokens are made.
    looping: knobs with which its pages never end; None where there are no pages.
    page_size: visits of one practitioner and day that do not fit on one page. vendor: further VendorSettings.
    """

    kind: str
    states: Mapping[str, str]
    unknown_word: str | None
    poisons: tuple[Poison, ...]
    list_path: str | None
    token_path: str | None = None
    looping: Mapping[str, Any] | None = None
    page_size: int = 100
    vendor: Mapping[str, Any] = field(default_factory=dict)
    #: Whether a visit that was deleted at the vendor is told of as gone when asked for by id.
    lookup_by_id: bool = True
    #: What this vendor has none of, and why, in a sentence.
    lacks: Mapping[Lacking, str] = field(default_factory=dict)
    #: An order after which a visit has no end; None where every record says one.
    no_end: Poison | None = None
    #: Knobs for a test whose own clock stands where the clinic's does.
    frozen: Mapping[str, Any] = field(default_factory=dict)
    #: A clinic that does not stand on app/sandbox/stage: it offers what tests.sandbox.stage.StagedClinic offers.
    rig: Callable[[RunningSandbox], Any] | None = None
