"""Run every marked test and print each row of docs/features.md: passed, failed or missing. Exits 1 on a failed row."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MARKS = {"passed": "passed ", "failed": "FAILED ", "skipped": "skipped", "missing": "missing"}


def rows() -> list[tuple[str, str]]:
    """(row, what it is) in the order of docs/features.md."""
    text = (ROOT / "docs" / "features.md").read_text()
    return [(match[1], match[2].strip()) for match in re.finditer(r"^\| ([A-Z]\d\d) \| ([^|]+) \|", text, re.M)]


def run(path: Path) -> int:
    """Run the marked tests; their outcomes are written to `path`."""
    command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "-m", "feature or promise or fault or security"]
    environment = os.environ | {"RUNSHEET_ROWS_FILE": str(path)}
    return subprocess.run([*command, *sys.argv[1:]], cwd=ROOT, env=environment, check=False).returncode


def verdict(counts: dict[str, int] | None) -> str:
    if not counts:
        return "missing"
    if counts["failed"]:
        return "failed"
    return "passed" if counts["passed"] else "skipped"


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.json"
        code = run(path)
        found: dict[str, dict[str, int]] = json.loads(path.read_text()) if path.exists() else {}
        found.pop("chaos", None)
    totals = dict.fromkeys(MARKS, 0)
    for row, told in rows():
        told_as = verdict(found.get(f"feature {row}"))
        totals[told_as] += 1
        print(f"{MARKS[told_as]}  {row}  {told}")
    for kind in ("promise", "fault", "security"):
        for name in sorted((name for name in found if name.startswith(kind)), key=_by_number):
            print(f"{MARKS[verdict(found[name])]}  {name.split()[1]:<4} ({kind})")
    print(", ".join(f"{count} {word}" for word, count in totals.items()) + f" of {sum(totals.values())} features")
    return code


def _by_number(name: str) -> tuple[str, int]:
    row = name.split()[1]
    return row[0], int(row[1:])


if __name__ == "__main__":
    sys.exit(main())
