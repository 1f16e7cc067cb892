"""The simulated clinic's own numbers and behaviour: what of it a test may turn, and how Neo numbers things."""

from __future__ import annotations

from hashlib import sha256
from typing import Literal

from app.sandbox.idexx_neo import COMPANY, PASSWORD, USERNAME
from app.sandbox.stage.cast import Setup
from app.sandbox.stage.stage import Knobs, current

KIND = "idexx_neo"
#: In the middle of a day's opening hours anywhere in Australia.
ZONE = "Australia/Melbourne"
#: A consultation's number is its visit's with this before it, so that either leads to the other.
_CONSULTATION = "81"


class NeoKnobs(Knobs, kw_only=True, forbid_unknown_fields=True):
    """How this Neo is set up, and what of it nobody knows for certain."""

    token_ttl_s: float = 8 * 3600
    username: str = USERNAME
    password: str = PASSWORD
    #: None: the page has no such field.
    company_id: str | None = COMPANY
    #: How a request without a session is answered: as JSON, by a redirect to the log-in page, by that page, by a 403.
    ended: Literal["json", "redirect", "page", "forbidden"] = "json"
    #: The hidden token on the log-in form is written by the page's script.
    scripted: bool = False
    second_factor: bool = False
    #: Rows as the older write-up spells them.
    old_rows: bool = False
    #: The member the calendar's rows stand in; "" for a bare list.
    wrapped: Literal["", "appointments", "data", "events"] = ""
    shows_cancelled: bool = True
    rosters: bool = True
    #: Whether the list of all users is there.
    users: bool = True
    #: Whether the book's settings are answered at the newer address, at the older one, or at neither.
    settings: Literal["new", "old", "none"] = "new"
    at_once: int = 4


def knobs() -> NeoKnobs:
    """As they are turned now."""
    found = current(KIND).knobs
    assert isinstance(found, NeoKnobs)
    return found


def number(*names: object) -> str:
    """Twelve digits that are the same at every start."""
    return str(10**11 + int(sha256("/".join(str(name) for name in names).encode()).hexdigest()[:14], 16) % (9 * 10**11))


SETUP = Setup(KIND, "Wrenfield Veterinary", ZONE, vet=True, id_of=number)


def consultation_of(visit_id: str) -> str:
    return _CONSULTATION + visit_id


def visit_of(consultation_id: str) -> str:
    return consultation_id.removeprefix(_CONSULTATION)


def numeric(id_: str) -> int | str:
    """As Neo sends ids: numbers, where they are."""
    return int(id_) if id_.isascii() and id_.isdigit() else id_
