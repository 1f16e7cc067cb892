"""Peak memory of whole processes at two sizes, beside the peer's at the larger one. SQLite: the database is in it."""

from __future__ import annotations

from bench import pages, peering
from bench.progress import say
from bench.syncing import Job, in_process
from bench.world import databases, redis, serving


def compare(small: int, large: int, *, peer: bool) -> dict[str, float]:
    """MB: `small` and `large` of ours, syncing twice; `peer`, tuned, at `large`, loading once: that flatters it."""
    found: dict[str, float] = {}
    with databases(("sqlite",)) as makers, redis() as redis_url:
        maker = makers["sqlite"]
        for name, appointments in (("small", small), ("large", large)):
            size = pages.Size(appointments)
            with serving(size) as base_url:
                say(f"memory, {appointments:,} appointments: ours")
                database = maker.fresh()
                parts = ["first", "unchanged"]
                job = Job("ours", database, base_url, redis_url, appointments, size.practitioners, parts=parts)
                found[name] = in_process(job)["peak MB"]
                maker.drop(database)
                if peer and name == "large":
                    say(f"memory, {appointments:,} appointments: dlt, tuned")
                    database = maker.fresh()
                    found["peer"] = peering.load("tuned", database, base_url, size, ("first",))["peak MB"]
                    maker.drop(database)
    return found
