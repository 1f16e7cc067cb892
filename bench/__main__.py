"""`make bench`: every measurement, in turn with its bare minimum, written to docs/performance.md as ratios.

`make bench BENCH_ARGS="--only sync --rounds 7"` measures one part and prints it, without touching the page.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path

from bench import jobs, sheet, syncing

PAGE = Path(__file__).parent.parent / "docs" / "performance.md"
APPOINTMENTS = 10_000
KINDS = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
WORDS = {"first": "first sync", "unchanged": "unchanged re-sync", "changed": "re-sync with 5 % changed"}
AIMS = {"first": "at most 2", "unchanged": "at most 1.5", "changed": "proportional"}

HEAD = """# Performance

Written by `make bench`; do not edit by hand. Every figure is a ratio of two programs measured in turn, in the same run
on the same machine ({cores} cores), each the median of {rounds} alternating rounds. Seconds are not shown, because
they would say more about the machine than about Runsheet.
"""
SYNC = """## Syncing

{count:,} appointments of 20 practitioners in pages of 100, from a pre-serialised fake server in its own process. The
*bare minimum* (`bench/bare.py`) is one requests session, msgspec and a driver-level bulk upsert of the same columns:
no limiter, retry, rules, checkpoint, events or sweeps. Repeated, it writes every row again.

| | {kinds} | aim |
|---|---|---|---|
"""
MEMORY = """## Memory

Peak memory of a whole process syncing {large:,} appointments three times over, beside one syncing {small:,}:
{ratio:.2f} times as much (aim: flat).
"""
FETCHERS = """## Fetching in parallel

20 practitioners at 30 ms of latency a request, unchanged: with 8 fetchers the sync ends {ratio:.1f} times sooner than
with 1.
"""
SHEET = """## The run sheet

Under gunicorn with the settings of `runsheet web`, over 8 connections, in requests a second. The bare page is Flask and
Jinja with the same 60 rows in a five-column table; the bare poll answers an empty 204 and looks at nothing. Ours has a
signed-in session, a practice's rights, groups, menus, filters, freshness and the security headers.

| | ours / bare (higher is better) | aim |
|---|---|---|
| the page, 60 rows | {page:.2f} | at least 0.5 |
| the poll, nothing new | {poll:.2f} | at least 0.5 |
"""
JOBS = """## Jobs

Our worker beside RQ's own, one process each, over the same Redis.

| | ours / bare | aim |
|---|---|---|
| from enqueue to start (lower is better) | {start:.2f} | at most 1.3 |
| jobs a second from a full queue (higher is better) | {rate:.2f} | |
"""


def sync(rounds: int) -> str:
    told = syncing.compare(tuple(KINDS), APPOINTMENTS, rounds)
    lines = []
    for part, words in WORDS.items():
        ratios = " | ".join(f"{told[kind]['ratios'][part]:.2f}" for kind in KINDS)
        lines.append(f"| {words}, ours / bare (lower is better) | {ratios} | {AIMS[part]} |\n")
    for part, words in WORDS.items():
        counts = " | ".join(f"{told[kind]['ours'][f'{part} statements a page']:.1f}" for kind in KINDS)
        lines.append(f"| SQL statements a page, {words} | {counts} | constant |\n")
    return SYNC.format(count=APPOINTMENTS, kinds=" | ".join(KINDS.values())) + "".join(lines)


def memory(_rounds: int) -> str:
    small, large = APPOINTMENTS, 10 * APPOINTMENTS
    return MEMORY.format(small=small, large=large, ratio=syncing.memory("sqlite", small, large)["ratio"])


def fetchers(rounds: int) -> str:
    return FETCHERS.format(ratio=syncing.fetchers(30, rounds)["ratio"])


def pages(rounds: int) -> str:
    return SHEET.format(**sheet.compare(rounds))


def starts(rounds: int) -> str:
    return JOBS.format(**jobs.compare(rounds))


PARTS: dict[str, Callable[[int], str]] = {
    "sync": sync,
    "memory": memory,
    "fetchers": fetchers,
    "pages": pages,
    "jobs": starts,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--only", choices=PARTS, help="measure one part and print it")
    parser.add_argument("--rounds", type=int, default=5, help="alternating rounds of each (default 5)")
    asked = parser.parse_args()
    if asked.only:
        print(PARTS[asked.only](asked.rounds))
        return
    told = [HEAD.format(cores=os.cpu_count(), rounds=asked.rounds)]
    for name, measure in PARTS.items():
        print(f"measuring {name} ...", flush=True)
        told.append(measure(asked.rounds))
        print(told[-1], flush=True)
    PAGE.write_text("\n".join(told))


if __name__ == "__main__":
    main()
