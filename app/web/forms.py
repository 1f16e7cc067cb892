"""What somebody typed, read field by field; every fault gets a sentence that belongs beside its field.

    form = Form(request.form)
    name = form.text("name", "Who is it?", limit=255)
    minutes = form.number("minutes", "Minutes are a whole number from 1 to 600.", 1, 600)
    form.check()                       # raises InvalidInput with all faults at once

A template is handed the same `Form`: `values` fill the fields again, `errors` stand beside them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import time
from uuid import UUID

from app.errors import InvalidInput

_TIME = re.compile(r"^\s*(\d{1,2})[:.]?(\d{2})\s*$")


class Form:
    """Values as typed, and the sentences about them."""

    def __init__(self, values: Mapping[str, str] | None = None) -> None:
        self.values: dict[str, str] = dict(values or {})
        self.errors: dict[str, str] = {}

    def raw(self, name: str) -> str:
        return self.values.get(name, "").replace("\x00", "")

    def text(self, name: str, missing: str | None = None, *, limit: int = 255) -> str:
        """The text, single-spaced. `missing` is the sentence where it must not be empty."""
        value = " ".join(self.raw(name).split())
        if not value and missing:
            self.reject(name, missing)
        elif len(value) > limit:
            self.reject(name, f"Use at most {limit} characters; this has {len(value)}.")
        return value

    def lines(self, name: str, *, limit: int) -> str:
        """Text that keeps its line breaks."""
        value = self.raw(name).replace("\r\n", "\n").strip()
        if len(value) > limit:
            self.reject(name, f"Use at most {limit} characters; this has {len(value)}.")
        return value

    def number(self, name: str, wrong: str, lowest: int, highest: int) -> int | None:
        """A whole number, or None where nothing was typed."""
        value = self.raw(name).strip()
        if not value:
            return None
        if not value.isascii() or not value.isdigit() or not lowest <= int(value[:9]) <= highest:
            self.reject(name, wrong)
            return None
        return int(value)

    def time(self, name: str, wrong: str) -> time | None:
        """A time of day: 9:05, 09:05 or 0905."""
        found = _TIME.match(self.raw(name))
        if found is None or int(found[1]) > 23 or int(found[2]) > 59:
            self.reject(name, wrong)
            return None
        return time(int(found[1]), int(found[2]))

    def ident(self, name: str, wrong: str) -> UUID | None:
        try:
            return UUID(self.raw(name))
        except ValueError:
            self.reject(name, wrong)
            return None

    def reject(self, name: str, sentence: str) -> None:
        """The first fault of a field is the one to mend first."""
        self.errors.setdefault(name, sentence)

    def refuse(self, error: InvalidInput) -> None:
        for name, sentence in error.errors.items():
            self.reject(name, sentence)

    def check(self) -> None:
        """Raises InvalidInput when any field was rejected."""
        if self.errors:
            raise InvalidInput(self.errors)
