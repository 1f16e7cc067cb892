"""The peer beside ours: starts `bench/peer/load.py` in the environment that `make bench` made for it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from bench import pages

ROOT = Path(__file__).parent.parent
PYTHON = ROOT / ".venv-peer" / "bin" / "python"
LOAD = Path(__file__).parent / "peer" / "load.py"
#: What is asked of each way. As documented, a second load on SQLite compares every row with every row (there is no
#: index on the key): at 100,000 rows that would take longer than all the rest of the measurement.
WAYS = {"documented": ("first",), "tuned": ("first", "unchanged", "changed")}


def is_there() -> bool:
    """Whether its environment was made."""
    return PYTHON.exists()


def load(way: str, database: str, base_url: str, size: pages.Size, parts: tuple[str, ...]) -> dict[str, float]:
    """Seconds of each part and peak memory in MB, from a process of its own. Starting Python is not counted."""
    told = {
        "way": way,
        "database": database,
        "base_url": base_url,
        "tenant": pages.TENANT,
        "practitioners": [pages.practitioner(number) for number in range(size.practitioners)],
        "appointments": size.each * size.practitioners,
        "parts": parts,
    }
    done = subprocess.run([PYTHON, LOAD, json.dumps(told)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-3000:])
    spent: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return spent
