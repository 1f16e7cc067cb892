"""Which rows of the documents each test proves: collected from the markers, written for `make features`."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

KINDS = ("feature", "promise", "fault", "security")
#: Where the outcomes go; `scripts/features.py` sets it.
ENV = "RUNSHEET_ROWS_FILE"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for kind in KINDS:
            for marker in item.iter_markers(kind):
                for row in marker.args:
                    item.user_properties.append(("row", f"{kind} {row}"))


class Outcomes:
    """One outcome per row: failed beats passed, passed beats skipped. Lives in the controlling process only."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows: dict[str, dict[str, int]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when != "call" and report.outcome == "passed":
            return
        for name, row in report.user_properties:
            if name == "row":
                counts = self._rows.setdefault(str(row), {"passed": 0, "failed": 0, "skipped": 0})
                counts[report.outcome] += 1

    def pytest_sessionfinish(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.write_text(json.dumps(self._rows, indent=1, sort_keys=True))


def pytest_configure(config: pytest.Config) -> None:
    path = os.environ.get(ENV)
    if path and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Outcomes(Path(path)))
