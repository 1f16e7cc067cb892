"""A clinic of which the conformance kit sees nothing but the files it leaves: after every order a new export."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from tests.sandbox.process import RunningSandbox
from tests.sandbox.stage import StagedClinic

DROP_KEY = "a-drop-key-of-the-kit-0123456789"


@cache
def _place() -> Path:
    """Where all clinics of these tests lie; gone when the tests are over."""
    place = tempfile.mkdtemp(prefix="runsheet-drops-")
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    return Path(place)


class DropClinic(StagedClinic):
    """Its folder is emptied by each `fresh`."""

    def __init__(self, sandbox: RunningSandbox, kind: str) -> None:
        super().__init__(sandbox, kind)
        self.root = _place() / f"{kind}-{sandbox.pid}"
        self.root.mkdir(exist_ok=True)
        self.credentials = {"source": "kit", "secret": DROP_KEY}
        told = {f"{kind.upper()}_BASE_URL": self.url, f"{kind.upper()}_DROP_ROOT": str(self.root)}
        self.environment: dict[str, str] = told

    def fresh(self, at: str | None = None, **knobs: Any) -> StagedClinic:
        super().fresh(at, **knobs)
        folder = self.root / "kit"
        folder.mkdir(exist_ok=True)
        for path in folder.iterdir():
            path.unlink()
        (folder / "drop.key").write_text(DROP_KEY)
        self.control("exports", folder=str(folder), back=60, ahead=60)
        return self

    def delete(self, visit_id: str) -> None:
        """And an export more: one that lacks a visit is no proof yet."""
        super().delete(visit_id)
        self.control("export", folder=str(self.root / "kit"), back=60, ahead=60)
