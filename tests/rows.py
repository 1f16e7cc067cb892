"""Which rows of the documents each test proves: collected from the markers, written for `make features` and
`make chaos`, together with what tests that kill processes counted (`record_property("chaos", …)`).
"""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any, cast

import pytest

KINDS = ("feature", "promise", "fault", "security")
#: As they stand in the name of a test that runs on each.
DATABASES = ("sqlite", "postgresql")
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
        self._rows: dict[str, dict[str, Any]] = {}
        self._chaos: dict[str, Counter[str]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when != "call" and report.outcome == "passed":
            return
        for name, row in report.user_properties:
            if name == "row":
                self._count(str(row), report)
            elif name == "chaos":
                place, damage = cast(tuple[str, dict[str, int]], row)
                self._chaos.setdefault(place, Counter()).update({"trials": 1, **damage})

    def _count(self, row: str, report: pytest.TestReport) -> None:
        nothing: dict[str, Any] = {"passed": 0, "failed": 0, "skipped": 0, "tests": [], "databases": []}
        counts = self._rows.setdefault(row, nothing)
        counts[report.outcome] += 1
        test, _, given = report.nodeid.partition("[")
        on = [name for name in DATABASES if name in given and report.outcome == "passed"]
        counts["tests"] = sorted({*counts["tests"], test.rpartition("::")[2]})
        counts["databases"] = sorted({*counts["databases"], *on})

    def pytest_sessionfinish(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.write_text(json.dumps({**self._rows, "chaos": self._chaos}, indent=1, sort_keys=True))


def pytest_configure(config: pytest.Config) -> None:
    path = os.environ.get(ENV)
    if path and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Outcomes(Path(path)))
