"""`make chaos`: run every test of a promise or a fault, each failpoint N times, and write docs/reliability.md.

The first two columns of its tables are kept as they stand there; the others are what this run saw. It ends badly when
any row was not shown, when anything was lost, doubled, wrongly removed, stuck or miscounted, and when a process was
killed less often than was asked for.
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
#: How many rows there are to show: none may fall off the page unnoticed.
ROWS = {"P": 21, "F": 62}
DATABASES = ("sqlite", "postgresql")
DAMAGE = {
    "lost": "lost",
    "doubled": "doubled",
    "removed": "wrongly removed",
    "stuck": "stuck",
    "miscounted": "miscounted",
}
#: Where a process is killed; a place without trials stands in the table with none.
PLACES = ("auth", "checkpoint", "claim", "enrich", "fetch", "log", "map", "reconcile", "upsert")
HEAD = """# Reliability

Written by `make chaos`; only the words of each row are edited by hand. A row counts when a test that carries it
(`@pytest.mark.fault("F17")`) has shown it, on SQLite and on PostgreSQL where rows are touched; “–” stands where none
are. After each kill the next run must leave exactly what the PMS holds: nothing lost, nothing doubled, nothing removed
that is still there, no run that claims to be running, and counts that add up in every run there was.
"""


def run(path: Path, trials: int, more: list[str]) -> int:
    """Run the marked tests; what they proved is written to `path`."""
    command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "-m", "promise or fault", *more]
    numbers = {"RUNSHEET_TRIALS": str(trials), "RUNSHEET_AT_SIX": "1000"}
    environment = os.environ | numbers | {"RUNSHEET_ROWS_FILE": str(path)}
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


def words() -> dict[str, str]:
    """Row -> what it is, as the page has it. Raises SystemExit where rows are missing."""
    found = dict(re.findall(r"^\| ([PF]\d+) \| ([^|]+?) \|", PAGE.read_text(), re.M))
    for letter, many in ROWS.items():
        if (there := sum(row[0] == letter for row in found)) != many:
            sys.exit(f"{PAGE.relative_to(ROOT)} has {there} rows {letter}…, there should be {many}")
    return found


def verdict(counts: dict[str, Any] | None) -> str:
    """A row that was shown on one database only, though its tests touch rows, is not shown."""
    if not counts or not (counts["passed"] or counts["failed"]):
        return "missing"
    if counts["failed"]:
        return "**failed**"
    on = counts["databases"]
    return "shown" if not on or len(on) == len(DATABASES) else f"on {on[0]} only"


def tables(found: dict[str, dict[str, Any]], rows: dict[str, str]) -> tuple[list[str], list[str]]:
    """The tables, and what is wrong with them."""
    lines: list[str] = []
    wrong: list[str] = []
    for letter, kind in KINDS.items():
        mine = {row: told for row, told in rows.items() if row[0] == letter}
        verdicts = {row: verdict(found.get(f"{kind} {row}")) for row in mine}
        shown = sum(one == "shown" for one in verdicts.values())
        wrong += [f"{row} is {one}" for row, one in verdicts.items() if one != "shown"]
        lines += ["", f"## {kind.capitalize()}s: {shown} of {len(mine)} shown", ""]
        lines += ["| row | what | result | on | runs | tests |", "|---|---|---|---|---|---|"]
        for row, told in mine.items():
            counts = found.get(f"{kind} {row}") or {"passed": 0, "failed": 0, "tests": [], "databases": []}
            tests = ", ".join(f"`{one}`" for one in counts["tests"]) or "–"
            on, runs = ", ".join(counts["databases"]) or "–", counts["passed"] + counts["failed"]
            lines.append(f"| {row} | {told} | {verdicts[row]} | {on} | {runs} | {tests} |")
    return lines, wrong


def chaos(damage: dict[str, dict[str, int]], trials: int) -> tuple[list[str], list[str]]:
    """What killing the process at each place did, over all trials on both databases; and what is wrong with it."""
    wanted, total, wrong = trials * len(DATABASES), dict.fromkeys(DAMAGE, 0), []
    lines = [f"| killed at | trials | {' | '.join(DAMAGE.values())} |", f"|---|---|{'---|' * len(DAMAGE)}"]
    for place in sorted({*PLACES, *damage}):
        counts = damage.get(place, {})
        kills = counts.get("trials", 0)
        if kills < wanted:
            wrong.append(f"{place}: killed {kills} times of {wanted}")
        told = [str(counts.get(name, 0)) if kills else "–" for name in DAMAGE]
        lines.append(f"| {place} | {kills} of {wanted} | {' | '.join(told)} |")
        for name in DAMAGE:
            total[name] += counts.get(name, 0)
    summed = ", ".join(f"{count} {DAMAGE[name]}" for name, count in total.items())
    wrong += [f"{count} {DAMAGE[name]}" for name, count in total.items() if count]
    head = [
        "",
        f"## Killed at every step: {trials} trials a place and database",
        "",
        f"Over all of them: {summed}.",
        "",
    ]
    return [*head, *lines], wrong


def main() -> int:
    trials = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    rows = words()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.json"
        code = run(path, trials, sys.argv[2:])
        if not path.exists():
            return code or 1
        found: dict[str, Any] = json.loads(path.read_text())
    killed, wrong = chaos(found.pop("chaos", {}), trials)
    shown, more = tables(found, rows)
    page = "\n".join([HEAD.rstrip(), *killed, *shown]) + "\n"
    if sys.argv[2:]:  # a part of it: to look at, not to keep
        print(page)
    else:
        PAGE.write_text(page)
        print(f"wrote {PAGE.relative_to(ROOT)}")
    print("\n".join(line.removeprefix("## ") for line in page.splitlines() if line.startswith(("## ", "Over all"))))
    print("\n".join(f"NOT SHOWN: {one}" for one in [*wrong, *more]) or "Everything was shown.")
    return code or int(bool(wrong or more))


if __name__ == "__main__":
    sys.exit(main())
