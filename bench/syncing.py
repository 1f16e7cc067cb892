"""First sync, unchanged re-sync, 5 % changed: ours and the bare minimum, in turn, each in its own process."""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import event

from bench import pages
from bench.bare import Bare, timed
from bench.world import databases, paired, redis, serve_changed, serving

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


def measure(job: Job) -> dict[str, float]:
    """Seconds of each part, peak memory in MB, and (ours) SQL statements per page. Runs in a process of its own."""
    size = pages.Size(job.appointments, job.practitioners)
    with tempfile.TemporaryDirectory(prefix="rsb-") as home:
        made = paired(job.database, job.base_url, job.redis_url, Path(home), concurrency=job.concurrency)
        told: dict[str, float] = {}
        serve_changed(job.base_url, False)
        if job.who == "bare":
            bare = Bare(
                job.database,
                job.base_url,
                _id(job, made.practice_id),
                _id(job, made.connection_id),
                {day: _id(job, sheet) for day, sheet in made.sheets.items()},
            )
            for part in PARTS:
                serve_changed(job.base_url, part == "changed")
                told[part] = timed(bare, size)
            bare.close()
        else:
            first, last = pages.FIRST_DAY, pages.FIRST_DAY + timedelta(days=pages.DAYS - 1)
            counted = [0]
            event.listen(made.engine.store.engine, "before_cursor_execute", lambda *_: _count(counted))
            for part in PARTS:
                serve_changed(job.base_url, part == "changed")
                counted[0] = 0
                began = time.perf_counter()
                result = made.engine.sync_range(made.connection_id, first, last)
                told[part] = time.perf_counter() - began
                told[f"{part} statements a page"] = counted[0] / (size.practitioners * size.pages_each)
                assert result.success, result
                _check(part, next(one for one in result.tallies if one.phase == "inbound"), size)
        serve_changed(job.base_url, False)
        told["peak MB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
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


def compare(kinds: tuple[str, ...], appointments: int, rounds: int) -> dict[str, Any]:
    """Medians of alternating runs, and the ratio ours / bare of each part."""
    size = pages.Size(appointments)
    found: dict[str, Any] = {}
    with databases(kinds) as makers, redis() as redis_url, serving(size) as base_url:
        for kind, maker in makers.items():
            times: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
            for _ in range(rounds):
                for who in ("bare", "ours"):
                    database = maker.fresh()
                    job = Job(who, database, base_url, redis_url, appointments, size.practitioners)
                    for name, value in in_process(job).items():
                        times[who][name].append(value)
                    maker.drop(database)
            middle = {
                who: {name: statistics.median(values) for name, values in of.items()} for who, of in times.items()
            }
            found[kind] = {
                "ratios": {part: middle["ours"][part] / middle["bare"][part] for part in PARTS},
                "ours": middle["ours"],
                "bare": middle["bare"],
            }
    return found


def memory(kind: str, small: int, large: int) -> dict[str, float]:
    """Peak memory of ours at two sizes, and their ratio."""
    peaks = []
    with databases((kind,)) as makers, redis() as redis_url:
        for appointments in (small, large):
            size = pages.Size(appointments)
            with serving(size) as base_url:
                database = makers[kind].fresh()
                told = in_process(Job("ours", database, base_url, redis_url, appointments, size.practitioners))
                peaks.append(told["peak MB"])
                makers[kind].drop(database)
    return {"small": peaks[0], "large": peaks[1], "ratio": peaks[1] / peaks[0]}


def fetchers(latency_ms: float, rounds: int) -> dict[str, float]:
    """How much sooner a sweep of 20 practitioners ends with 8 fetchers than with 1, at that latency."""
    size = pages.Size(2_000)
    took: dict[int, list[float]] = {1: [], 8: []}
    with databases(("sqlite",)) as makers, redis() as redis_url, serving(size, latency_ms) as base_url:
        for _ in range(rounds):
            for count, seconds in took.items():
                database = makers["sqlite"].fresh()
                job = Job("ours", database, base_url, redis_url, size.appointments, size.practitioners, count)
                seconds.append(in_process(job)["unchanged"])
                makers["sqlite"].drop(database)
    one, eight = (statistics.median(took[count]) for count in (1, 8))
    return {"1 fetcher": one, "8 fetchers": eight, "ratio": one / eight}


if __name__ == "__main__":
    print(json.dumps(measure(Job(**json.loads(sys.argv[1])))))
