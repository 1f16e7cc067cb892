"""The steps of the pairing wizard: their order, how far a connection has come, and what a refusal says."""

from __future__ import annotations

from enum import StrEnum

from flask import url_for
from werkzeug.exceptions import NotFound as NoSuchPage

from app.store.models import PmsConnection
from app.sync.preview import Refused


class Step(StrEnum):
    CODE = "code"
    IDENTITY = "identity"
    CLINICIANS = "clinicians"
    TYPES = "types"
    PREVIEW = "preview"
    LIVE = "live"


ORDER = tuple(Step)
TITLES = {
    Step.CODE: "Pair",
    Step.IDENTITY: "Is this you?",
    Step.CLINICIANS: "Clinicians",
    Step.TYPES: "Appointment types",
    Step.PREVIEW: "Look at today",
    Step.LIVE: "Go live",
}


def step_of(text: str) -> Step:
    try:
        return Step(text)
    except ValueError:
        raise NoSuchPage from None


def present(connection: PmsConnection) -> Step:
    """The step to resume at. A code that was never spent comes first, whatever was saved."""
    if connection.tenant_id is None:
        return Step.CODE
    saved = connection.wizard.get("step")
    return Step(saved) if saved in ORDER[1:] else Step.IDENTITY


def reached(connection: PmsConnection) -> int:
    """How far one may go: the furthest step saved so far."""
    if connection.tenant_id is None:
        return 0
    furthest = connection.wizard.get("furthest")
    return max(ORDER.index(present(connection)), ORDER.index(Step(furthest)) if furthest in ORDER else 0)


def way(connection: PmsConnection | None, at: int) -> list[dict[str, object]]:
    """The way through: done ones can be gone back to."""
    furthest = reached(connection) if connection else -1
    first = {"title": "Choose", "here": connection is None, "href": "", "done": connection is not None}
    return [
        first,
        *(
            {
                "title": TITLES[step],
                "here": connection is not None and index == at,
                "done": index < furthest or (index == furthest and index != at),
                "href": url_for("pairing.step", connection_id=connection.id, step=step.value)
                if connection and index <= furthest and index != at and step is not Step.CODE
                else "",
            }
            for index, step in enumerate(ORDER)
        ),
    ]


def refusal_words(refused: Refused, unspent: str = "The code was not used.") -> str:
    """What happened, what became of what was typed, and who can mend it: for beside the field."""
    told = refused.told
    if refused.reason in ("code_refused", "code_maybe_used", "credentials_refused"):
        return told.sentence
    who = "Try again in a moment." if told.heals_itself else told.who
    return " ".join(part for part in (told.happened, refused.detail, unspent, who) if part)
