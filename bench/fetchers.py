"""A sweep of 20 practitioners with 8 fetchers and with 1, at a latency a request: what fetching side by side saves."""

from __future__ import annotations

import statistics

from bench import pages
from bench.progress import say
from bench.syncing import Job, in_process
from bench.world import databases, redis, serving

COUNTS = (1, 8)


def compare(latency_ms: float, appointments: int, rounds: int) -> float:
    """How many times sooner an unchanged sync ends with 8 fetchers than with 1: medians of alternating rounds."""
    size = pages.Size(appointments)
    took: dict[int, list[float]] = {count: [] for count in COUNTS}
    with databases(("sqlite",)) as makers, redis() as redis_url, serving(size, latency_ms) as base_url:
        for turn in range(rounds):
            for count, seconds in took.items():
                say(f"fetchers, round {turn + 1} of {rounds}: {count}")
                database = makers["sqlite"].fresh()
                job = Job("ours", database, base_url, redis_url, size.appointments, size.practitioners, count)
                job.parts = ["first", "unchanged"]
                seconds.append(in_process(job)["unchanged"])
                makers["sqlite"].drop(database)
    one, eight = (statistics.median(took[count]) for count in COUNTS)
    return one / eight
