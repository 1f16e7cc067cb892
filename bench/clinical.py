"""Enrichment and reconciliation of cases: ours and a bare minimum of theirs, in turn, each in its own process.

The cases are there before the measurement begins. Ours goes through the ezyVet adapter with the vendor's limits lifted
(60 calls a minute of one list would be all that is measured) and seals what it reads.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from app.config import VendorSettings
from app.pms.ezyvet import settings as ezyvet
from app.store import connections, credentials
from app.store.models.connection import PmsConnection
from app.sync.engine import Wish
from bench import hospital, pages
from bench.bare_cases import BareCases
from bench.progress import say
from bench.world import Paired, databases, made_practice, redis, serve_changed, serving_by, wired

PARTS = ("enrichment", "enrichment again", "reconciliation")
#: Consultations asked for in one question: the most a practice can set, and ezyVet takes.
TOGETHER = 100
LAST_DAY = pages.FIRST_DAY + timedelta(days=pages.DAYS - 1)


@dataclass
class Job:
    """What a measured process is told."""

    who: str
    database: str
    base_url: str
    redis_url: str
    cases: int


def measure(job: Job) -> dict[str, float]:
    """Seconds of each part. Runs in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="rsb-") as home:
        serve_changed(job.base_url, False)
        made = admitted(job, Path(home))
        _synced(made, "inbound")
        told = (_bare if job.who == "bare" else _ours)(job, made)
        serve_changed(job.base_url, False)
        return told


def admitted(job: Job, home: Path) -> Paired:
    """A practice with its ezyVet site, which keeps cases."""
    ezyvet.PER_ENDPOINT = 1_000_000
    vendor = VendorSettings(
        base_url=job.base_url, requests_per_minute=1_000_000, requests_per_hour=100_000_000, concurrency=4
    )
    engine = wired(job.database, job.redis_url, home, {"ezyvet": vendor})
    typed = credentials.Typed({"client_id": "bench", "client_secret": "bench"})

    def furnish(session: Any, connection: PmsConnection) -> None:
        credentials.keep(session, engine.vault, connection, typed, connection.created_at)
        connection.parallel_batch_size = TOGETHER
        connections.bind_tenant(session, connection, "bench")

    return made_practice(engine, "ezyvet", furnish, keeps_cases=True)


def _synced(made: Paired, *phases: str, full: bool = False) -> Any:
    result = made.engine.sync(Wish(made.connection_id, pages.FIRST_DAY, LAST_DAY, phases=phases, full=full))
    assert result.success, result
    return next(one for one in result.tallies if one.phase == phases[-1])


def _ours(job: Job, made: Paired) -> dict[str, float]:
    def enriched(full: bool) -> tuple[int, int]:
        tally = _synced(made, "enrichment", full=full)
        return tally.created, tally.unchanged

    told = {
        PARTS[0]: _timed(lambda: enriched(False), (job.cases, 0)),
        PARTS[1]: _timed(lambda: enriched(True), (0, job.cases)),
    }
    serve_changed(job.base_url, True)
    told[PARTS[2]] = _timed(lambda: _synced(made, "reconciliation").removed, len(hospital.gone(job.cases)))
    return told


def _bare(job: Job, made: Paired) -> dict[str, float]:
    practice = made.practice_id.hex if job.database.startswith("sqlite") else made.practice_id
    bare = BareCases(job.database, job.base_url, practice)
    told = {part: _timed(lambda: bare.enrich(TOGETHER), job.cases) for part in PARTS[:2]}
    serve_changed(job.base_url, True)
    told[PARTS[2]] = _timed(bare.reconcile, len(hospital.gone(job.cases)))
    bare.close()
    return told


def _timed(work: Callable[[], Any], expected: Any) -> float:
    """The measurement is worth nothing if the work was not done."""
    began = time.perf_counter()
    done = work()
    took = time.perf_counter() - began
    assert done == expected, (done, expected)
    return took


def in_process(job: Job) -> dict[str, float]:
    """`measure` in a fresh interpreter."""
    command = [sys.executable, "-m", "bench.clinical", json.dumps(asdict(job))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-3000:])
    told: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return told


def compare(kinds: tuple[str, ...], cases: int, rounds: int) -> dict[str, dict[str, float]]:
    """kind -> part -> ours / bare: the medians of that many alternating rounds."""
    found: dict[str, dict[str, float]] = {}
    with databases(kinds) as makers, redis() as redis_url, serving_by("bench.hospital", cases) as base_url:
        for kind, maker in makers.items():
            times: dict[tuple[str, str], list[float]] = defaultdict(list)
            for turn in range(rounds):
                for who in ("bare", "ours"):
                    say(f"cases, {kind}, round {turn + 1} of {rounds}: {who}")
                    database = maker.fresh()
                    for part, seconds in in_process(Job(who, database, base_url, redis_url, cases)).items():
                        times[who, part].append(seconds)
                    maker.drop(database)
            found[kind] = {
                part: statistics.median(times["ours", part]) / statistics.median(times["bare", part]) for part in PARTS
            }
    return found


if __name__ == "__main__":
    print(json.dumps(measure(Job(**json.loads(sys.argv[1])))))
