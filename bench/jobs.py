"""From enqueue to start: our worker beside bare RQ, in turn, over the same Redis, one worker each.

Bare RQ is its own Worker class with its own settings, the job function imported before the fork as ours is; the jobs
stamp the moment they begin.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from redis import Redis
from rq import Queue, Worker
from rq.serializers import JSONSerializer

from app.jobs import queues
from bench.world import KEY, databases, redis

STARTED = "bench:started"
JOBS = 30


def stamp(url: str) -> None:
    """The measured job: says when it began."""
    with Redis.from_url(url) as connection:
        connection.rpush(STARTED, repr(time.time()))


def serve(who: str, url: str, database: str, home: str) -> None:
    """A worker of one kind, until it is terminated."""
    connection = Redis.from_url(url)
    if who == "bare":
        Worker(
            [Queue("bench", connection=connection, serializer=JSONSerializer)],
            connection=connection,
            serializer=JSONSerializer,
        ).work(logging_level="ERROR")
        return
    from app import create_app
    from app.config import Settings
    from app.jobs.house import House
    from app.jobs.worker import work

    settings = Settings(
        home=Path(home),
        database_url=database,
        secret_key="only for the measurement, 0123456789",
        encryption_key=KEY,
        env="test",
        redis_url=url,
        log_level="error",
    )
    app = create_app(settings)
    with app.app_context():
        work(House(app.extensions["runsheet.engine"], connection, 60_000))


@contextmanager
def serving(who: str, url: str, database: str, home: str) -> Iterator[None]:
    process = subprocess.Popen([sys.executable, "-m", "bench.jobs", json.dumps([who, url, database, home])])
    try:
        with Redis.from_url(url) as connection:
            deadline = time.monotonic() + 20
            while not connection.smembers("rq:workers") and time.monotonic() < deadline:
                time.sleep(0.05)
        time.sleep(0.3)
        yield
    finally:
        process.terminate()
        process.wait(timeout=20)


def one_round(who: str, url: str, database: str, home: str) -> dict[str, float]:
    """Median milliseconds from enqueue to start with an idle worker, and jobs a second from a full queue."""
    with Redis.from_url(url) as connection:
        connection.flushall()
        name, job_class = ("bench", None) if who == "bare" else (queues.INTERACTIVE, queues.JsonJob)
        target = Queue(name, connection=connection, serializer=JSONSerializer, job_class=job_class)
        with serving(who, url, database, home):
            waits = []
            for _ in range(JOBS):
                began = time.time()
                target.enqueue(stamp, url)
                waits.append(float(connection.blpop([STARTED], timeout=20)[1]) - began)
                time.sleep(0.03)
            began = time.time()
            for _ in range(JOBS):
                target.enqueue(stamp, url)
            for _ in range(JOBS):
                ended = float(connection.blpop([STARTED], timeout=20)[1])
        return {"start ms": statistics.median(waits) * 1000, "jobs a second": JOBS / (ended - began)}


def compare(rounds: int) -> dict[str, float]:
    """Medians over alternating rounds; `start` is ours / bare (lower is better), `rate` likewise (higher is better)."""
    found: dict[str, list[dict[str, float]]] = {"bare": [], "ours": []}
    with databases(("sqlite",)) as makers, redis() as url, tempfile.TemporaryDirectory(prefix="rsb-") as home:
        database = makers["sqlite"].fresh()
        for _ in range(rounds):
            for who, rows in found.items():
                rows.append(one_round(who, url, database, home))
    middle = {
        who: {name: statistics.median(row[name] for row in rows) for name in rows[0]} for who, rows in found.items()
    }
    return {
        "start": middle["ours"]["start ms"] / middle["bare"]["start ms"],
        "rate": middle["ours"]["jobs a second"] / middle["bare"]["jobs a second"],
        "ours start ms": middle["ours"]["start ms"],
        "bare start ms": middle["bare"]["start ms"],
    }


if __name__ == "__main__":
    os.environ.pop("RUNSHEET_LIFELINE", None)
    serve(*json.loads(sys.argv[1]))
