"""First sync, unchanged re-sync, 5 % changed: ours, the bare minimum and the peer, in turn, each in its own process."""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import event

from bench import pages, peering
from bench.bare import Bare, timed, timed_fetch
from bench.progress import say
from bench.world import Paired, databases, paired, redis, serve_changed, serving

PARTS = ("first", "unchanged", "changed")


@dataclass
class Job:
    """What a measured process is told."""

    who: str
    database: str
    base_url: str
    redis_url: str
    appointments: int
    practitioners: int
    concurrency: int = 4
    parts: list[str] = field(default_factory=lambda: list(PARTS))


def measure(job: Job) -> dict[str, float]:
    """Seconds of each part, peak memory in MB, and (ours) SQL statements per page. Runs in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="rsb-") as home:
        made = paired(job.database, job.base_url, job.redis_url, Path(home), concurrency=job.concurrency)
        serve_changed(job.base_url, False)
        told = _bare(job, made) if job.who == "bare" else _ours(job, made)
        serve_changed(job.base_url, False)
        told["peak MB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        return told


def _bare(job: Job, made: Paired) -> dict[str, float]:
    sheets = {day: _id(job, sheet) for day, sheet in made.sheets.items()}
    bare = Bare(job.database, job.base_url, _id(job, made.practice_id), _id(job, made.connection_id), sheets)
    size = pages.Size(job.appointments, job.practitioners)
    told: dict[str, float] = {}
    for part in job.parts:
        serve_changed(job.base_url, part == "changed")
        told[part] = timed(bare, size)
    told["fetched"] = timed_fetch(bare, size)
    bare.close()
    return told


def _ours(job: Job, made: Paired) -> dict[str, float]:
    size = pages.Size(job.appointments, job.practitioners)
    first, last = pages.FIRST_DAY, pages.FIRST_DAY + timedelta(days=pages.DAYS - 1)
    told: dict[str, float] = {}
    counted = [0]
    event.listen(made.engine.store.engine, "before_cursor_execute", lambda *_: _count(counted))
    for part in job.parts:
        serve_changed(job.base_url, part == "changed")
        counted[0] = 0
        began = time.perf_counter()
        result = made.engine.sync_range(made.connection_id, first, last)
        told[part] = time.perf_counter() - began
        told[f"{part} statements a page"] = counted[0] / (size.practitioners * size.pages_each)
        assert result.success, result
        _check(part, next(one for one in result.tallies if one.phase == "inbound"), size)
    return told


def _id(job: Job, id_: Any) -> Any:
    return id_.hex if job.database.startswith("sqlite") else id_


def _count(counted: list[int]) -> None:
    counted[0] += 1


def _check(part: str, tally: Any, size: pages.Size) -> None:
    """The measurement is worth nothing if the work was not done."""
    rows = size.each * size.practitioners
    few = sum(row % 20 == 7 for row in range(size.each)) * size.practitioners
    expected = {"first": (rows, 0, 0), "unchanged": (0, 0, rows), "changed": (0, few, rows - few)}[part]
    assert (tally.created, tally.updated, tally.unchanged) == expected, (part, tally)


def in_process(job: Job) -> dict[str, float]:
    """`measure` in a fresh interpreter."""
    command = [sys.executable, "-m", "bench.syncing", json.dumps(asdict(job))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-3000:])
    told: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return told


def compare(kinds: tuple[str, ...], appointments: int, rounds: int, *, peer: bool) -> dict[str, dict[str, Any]]:
    """kind -> who -> name -> the median of that many alternating rounds. Who: bare, ours, and the peer's two ways."""
    size = pages.Size(appointments)
    whos = ("bare", "ours", *(peering.WAYS if peer else ()))
    found: dict[str, dict[str, Any]] = {}
    with databases(kinds) as makers, redis() as redis_url, serving(size) as base_url:
        for kind, maker in makers.items():
            times: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
            for turn in range(rounds):
                for who in whos:
                    say(f"sync, {kind}, round {turn + 1} of {rounds}: {who}")
                    database = maker.fresh()
                    if who in peering.WAYS:
                        told = peering.load(who, database, base_url, size, peering.WAYS[who])
                    else:
                        told = in_process(Job(who, database, base_url, redis_url, appointments, size.practitioners))
                    for name, value in told.items():
                        times[who][name].append(value)
                    maker.drop(database)
            found[kind] = {
                who: {name: statistics.median(values) for name, values in of.items()} for who, of in times.items()
            }
    return found


if __name__ == "__main__":
    print(json.dumps(measure(Job(**json.loads(sys.argv[1])))))
