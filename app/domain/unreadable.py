"""Records that could not be read, in plain words: why, and what it means for the sheet. Pure."""

from __future__ import annotations

#: Why a record was set aside (pms.rows, and the adapters) -> what a person is told. Never the value.
REASONS = {
    "missing": "Something every such record needs is not there.",
    "wrong_type": "Something is of another kind than agreed, such as a word where a time belongs.",
    "out_of_range": "A number or a date is so far off that it cannot be meant.",
    "invalid": "A value makes no sense, such as a day no calendar has.",
    "not_json": "The record is not written in the agreed format, so nothing of it can be relied on.",
    "dup_key": "The record says the same thing twice, and nobody can know which one holds.",
}
_OTHERWISE = "The record is not as this system's records should be."

KIND_WORDS = {"appointment": "Appointment", "client": "Client", "consultation": "Consultation"}


def why(reason: str) -> str:
    """The sentence for a reason; an unlisted one is told without detail."""
    return REASONS.get(reason, _OTHERWISE)


def means(kind: str, pms: str, *, known: bool, shown: bool | None) -> str:
    """What an open record means for the sheet.

    known: whether its id could be read. shown: its row is shown as it was, is kept out of sight, or there is none.
    """
    if kind != "appointment":
        return "No appointment is missing because of it."
    if not known:
        return f"Not even its id can be read: one appointment may be missing from the sheet. Compare with {pms} itself."
    if shown is None:
        return f"This appointment is not on the sheet. Look it up in {pms} by its id."
    if shown:
        return f"The sheet shows this appointment as it was last read; what {pms} changed since then is not seen."
    return "This appointment would not be shown anyway, by the practice's own choice."
