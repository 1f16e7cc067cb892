"""Neo's log-in page, as far as it must be understood: its form, and whether a page asks for a second factor.

Source: pms/idexx-neo.md §1 (seen in code: odis). The names of the fields differ between builds of the page.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser

#: Names of the fields, the likeliest first (seen in code: odis/lib, odis/sync, odis/old-doc).
USERNAMES = ("username", "email")
COMPANIES = ("company_id", "companyId")
#: A second factor (seen in code: odis/old-doc; assumed otherwise).
CODES = ("code", "otp")
_PASSWORD = re.compile(rb"<input[^>]+type\s*=\s*[\"']?password", re.IGNORECASE)


@dataclass(slots=True)
class Form:
    action: str = ""
    inputs: list[Mapping[str, str]] = field(default_factory=list)

    def named(self, *names: str) -> str | None:
        """The first of these names that the form has."""
        return next((name for name in names if any(one.get("name") == name for one in self.inputs)), None)

    @property
    def password(self) -> str | None:
        return next((one.get("name") for one in self.inputs if one.get("type", "").lower() == "password"), None)

    @property
    def username(self) -> str | None:
        typed = next((one.get("name") for one in self.inputs if one.get("type", "").lower() == "email"), None)
        return self.named(*USERNAMES) or typed

    @property
    def hidden(self) -> dict[str, str]:
        found = (one for one in self.inputs if one.get("type", "").lower() == "hidden" and one.get("name"))
        return {one["name"]: one.get("value", "") for one in found}


@dataclass(slots=True)
class Seen:
    forms: list[Form] = field(default_factory=list)

    @property
    def login(self) -> Form | None:
        return next((form for form in self.forms if form.password), None)

    @property
    def asks_code(self) -> bool:
        """It wants a second factor."""
        return any(form.named(*CODES) for form in self.forms)


def seen(body: bytes) -> Seen:
    """The page as a person would see it, its scripts not run."""
    reader = _Reader()
    reader.feed(body.decode("utf-8", "replace"))
    reader.close()
    return reader.page


def is_login(body: bytes) -> bool:
    """Whether this is a page to log in at. Cheap: it is asked of every answer that is no JSON."""
    return _PASSWORD.search(body) is not None


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.page = Seen()
        self._open: Form | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._open = Form(told.get("action", ""))
            self.page.forms.append(self._open)
        elif tag == "input" and self._open is not None:
            self._open.inputs.append(told)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = None
