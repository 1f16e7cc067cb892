"""`make chaos`: run every test of a promise or a fault, each failpoint N times, and write docs/reliability.md.

The first two columns of its tables are kept as they stand there; the others are what this run saw.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "reliability.md"
KINDS = {"P": "promise", "F": "fault"}
HEAD = """# Reliability

Written by `make chaos`; only the words of each row are edited by hand. A row counts when a test that carries it
(`@pytest.mark.fault("F17")`) has shown it, on SQLite and on PostgreSQL where rows are touched. After each fault the
next healthy run must leave exactly what the PMS holds: nothing lost, nothing doubled, nothing removed that is still
there, no run that claims to be running.
"""


def run(path: Path, trials: int) -> int:
    """Run the marked tests; what they proved is written to `path`."""
    command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "-m", "promise or fault"]
    environment = os.environ | {"RUNSHEET_ROWS_FILE": str(path), "RUNSHEET_TRIALS": str(trials)}
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


def words() -> dict[str, str]:
    """Row -> what it is, as the page has it."""
    return dict(re.findall(r"^\| ([PF]\d+) \| ([^|]+?) \|", PAGE.read_text(), re.M))


def verdict(counts: dict[str, Any] | None) -> str:
    if not counts or not (counts["passed"] or counts["failed"]):
        return "missing"
    return "**failed**" if counts["failed"] else "shown"


def tables(found: dict[str, dict[str, Any]]) -> list[str]:
    lines, rows = [], words()
    for letter, kind in KINDS.items():
        mine = {row: told for row, told in rows.items() if row[0] == letter}
        verdicts = {row: verdict(found.get(f"{kind} {row}")) for row in mine}
        shown = sum(one == "shown" for one in verdicts.values())
        lines += ["", f"## {kind.capitalize()}s: {shown} of {len(mine)} shown", ""]
        lines += ["| row | what | result | runs | tests |", "|---|---|---|---|---|"]
        for row, told in mine.items():
            counts = found.get(f"{kind} {row}") or {"passed": 0, "failed": 0, "tests": []}
            tests = ", ".join(f"`{one}`" for one in counts["tests"]) or "–"
            lines.append(f"| {row} | {told} | {verdicts[row]} | {counts['passed'] + counts['failed']} | {tests} |")
    return lines


def chaos(damage: dict[str, dict[str, int]], trials: int) -> list[str]:
    """What killing the process at each named place did, over all trials on both databases."""
    lines = ["", f"## Killed at every step: {trials} trials a place and database", ""]
    lines += ["| killed at | trials | lost | doubled | wrongly removed | stuck |", "|---|---|---|---|---|---|"]
    for place, counts in sorted(damage.items()):
        told = " | ".join(str(counts[name]) for name in ("trials", "lost", "doubled", "removed", "stuck"))
        lines.append(f"| {place} | {told} |")
    return lines


def main() -> int:
    trials = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.json"
        code = run(path, trials)
        if not path.exists():
            return code or 1
        found: dict[str, Any] = json.loads(path.read_text())
    PAGE.write_text("\n".join([HEAD.rstrip(), *chaos(found.pop("chaos", {}), trials), *tables(found)]) + "\n")
    print(f"wrote {PAGE.relative_to(ROOT)}")
    return code


if __name__ == "__main__":
    sys.exit(main())
