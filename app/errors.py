"""The root of the error tree. No HTTP in it: the web, the API and the command line each say it in their own way."""

from __future__ import annotations


class RunsheetError(Exception):
    """Anything we raise on purpose. The text is a sentence for a person and holds no patient data."""


class InvalidInput(RunsheetError):
    """What somebody gave us cannot be used; nothing was written.

    `errors` maps a field's name to the sentence that belongs beside it ("" is the whole form).
    """

    def __init__(self, errors: dict[str, str] | str) -> None:
        self.errors = {"": errors} if isinstance(errors, str) else dict(errors)
        super().__init__(" ".join(self.errors.values()))


class NotFound(RunsheetError):
    """No such thing in this practice; another practice's things look exactly the same."""


class Conflict(RunsheetError):
    """Somebody else changed it first; nothing was written."""


class Unreadable(RunsheetError):
    """A stored secret cannot be decrypted: it was altered, moved, or its key is not here. Nothing of it is shown."""


class SettingsError(RunsheetError):
    """The environment holds values we refuse to start with; the text lists every one of them."""
