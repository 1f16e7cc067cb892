"""Edits as JSON lines, so that a restart finds the clinic as people left it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from app.errors import SettingsError
from app.sandbox.stage.model import Edit


class Journal:
    """Append-only. Without a path the edits live as long as the process."""

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def replay(self) -> Iterator[Edit]:
        """Every edit in order. A last line that a crash has torn is cut off.

        Raises SettingsError with the number of any other line that cannot be read.
        """
        if self._path is None or not self._path.exists():
            return
        whole, _, torn = self._path.read_bytes().rpartition(b"\n")
        if torn:
            self._path.write_bytes(whole + b"\n" if whole else b"")
        for number, line in enumerate(whole.splitlines(), start=1):
            try:
                yield msgspec.json.decode(line, type=Edit)
            except msgspec.DecodeError as error:
                raise SettingsError(f"Line {number} of {self._path} cannot be read: {error}") from error

    def append(self, edit: Edit) -> None:
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("ab") as file:
                file.write(msgspec.json.encode(edit) + b"\n")

    def forget(self) -> None:
        """Drop every edit for good."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)
