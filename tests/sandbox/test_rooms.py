"""The simulator shares no code with what it tests."""

from __future__ import annotations

import ast
from pathlib import Path

from .process import ROOT

ALLOWED = ("app.sandbox", "app.clock", "app.errors")


def test_the_sandbox_imports_nothing_of_ours_but_clock_and_errors() -> None:
    strangers = []
    for file in sorted(Path(ROOT, "app", "sandbox").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            strangers += [
                (file.name, name) for name in names if name.split(".")[0] == "app" and not name.startswith(ALLOWED)
            ]
    assert strangers == []
