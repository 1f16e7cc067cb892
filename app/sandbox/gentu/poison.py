"""One record of a page made unreadable, in every way a vendor's record has been seen or can be feared to be."""

from __future__ import annotations

from collections.abc import Callable

from app.errors import InvalidInput
from app.sandbox.gentu.replies import as_sent

Record = dict[str, object]

_HUGE, _TWICE, _DEEP = "@huge@", "@twice@", "@deep@"
#: Put into the text after encoding: no JSON writer agrees to write these.
_AFTERWARDS = {
    f'"{_HUGE}"': "9" * 5_000,
    f'"{_TWICE}": true': '"status": "completed"',
    f'"{_DEEP}"': "[" * 100_000 + "]" * 100_000,
}


def _without(name: str) -> Callable[[Record], object]:
    return lambda record: {key: value for key, value in record.items() if key != name}


def _with(**fields: object) -> Callable[[Record], object]:
    return lambda record: {**record, **fields}


POISONS: dict[str, Callable[[Record], object]] = {
    "no_start": _without("startAt"),
    "null_start": _with(startAt=None),
    "bad_start": _with(startAt="2026-03-09T24:60:00.000+11:00"),
    "naive_start": lambda record: {**record, "startAt": str(record.get("startAt"))[:23]},
    "far_start": _with(startAt="9999-12-31T23:59:59.999-11:00"),
    "no_id": _without("id"),
    "null_id": _with(id=None),
    "number_id": _with(id=123),
    "wrong_type": _with(participant="nobody"),
    "not_an_object": lambda _record: "an appointment",
    "unknown_status": _with(status="triaged"),
    "lone_surrogate": _with(comment="\ud800"),
    "nul": _with(comment="before\x00after"),
    "nan": _with(minutesDuration=float("nan")),
    "infinity": _with(minutesDuration=float("inf")),
    "huge_number": _with(minutesDuration=_HUGE),
    "same_key_twice": _with(**{_TWICE: True}),
    "deep": _with(comment=_DEEP),
    "html": _with(comment="<script>alert(1)</script>", description="=cmd()|'calc'!A0"),
    "long_comment": _with(comment="x" * 100_000),
    "new_field": _with(somethingNew={"nested": [1, 2, 3]}),
}


def poisoned(page: Record, kind: str, index: int) -> str:
    """The page's JSON with row `index` (or the last one) made bad; a page without rows is left alone.

    Raises InvalidInput for a kind nobody knows.
    """
    if kind not in POISONS:
        raise InvalidInput(f"There is no poison “{kind}”; there are {', '.join(POISONS)}.")
    rows = page["appointments"]
    assert isinstance(rows, list)
    if rows:
        place = min(max(0, index), len(rows) - 1)
        rows[place] = POISONS[kind](rows[place])
    text = as_sent(page)
    for mark, instead in _AFTERWARDS.items():
        text = text.replace(mark, instead)
    return text
