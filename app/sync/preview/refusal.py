"""What a page hears when the PMS says no: a reason of the closed list and its sentences, never a vendor's error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from app.domain.reasons import Explanation, explain
from app.errors import RunsheetError
from app.pms.errors import PmsError, PmsNotConfigured
from app.sync.preview.systems import is_typed, system


class Refused(RunsheetError):
    """The PMS did not do what a person asked for; nothing was written unless the caller says so.

    `told` holds the sentences for `reason`; `detail` is one more where it helps, such as the settings that are missing.
    """

    def __init__(self, reason: str, told: Explanation, detail: str = "") -> None:
        self.reason = reason
        self.told = told
        self.detail = detail
        super().__init__(told.happened)


@contextmanager
def in_words(kind: str) -> Iterator[None]:
    """Turn any fault of a PMS of that kind into `Refused`."""
    try:
        yield
    except PmsError as error:
        detail = str(error) if isinstance(error, PmsNotConfigured) and error.reason == "not_configured" else ""
        told = explain(error.reason, system(kind).label, typed=is_typed(kind))
        raise Refused(error.reason, told, detail) from error
