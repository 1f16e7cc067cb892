"""Finding Redis: `REDIS_URL`, else the embedded one that announces itself in `<home>/run/redis.json`, else none."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from redis import Redis, RedisError
from redis.backoff import ConstantBackoff
from redis.retry import Retry

ANNOUNCEMENT = "redis.json"


@dataclass(frozen=True, slots=True)
class Queue:
    """Two ways to the same Redis. Both None where there is none; `why` then says it in a sentence.

    hasty: for pages; gives up after a quarter of a second. patient: for workers, which can wait out a restart.
    """

    hasty: Redis | None
    patient: Redis | None
    why: str = ""


def connect(url: str | None, runtime: Path) -> Queue:
    """Ways to Redis. Opens no connection where `url` is given; an embedded one must answer a PING."""
    if url is None:
        url = _embedded(runtime)
    if url is None:
        return Queue(None, None, "No Redis: set REDIS_URL, or start everything with `make run`.")
    hasty = Redis.from_url(url, socket_timeout=0.25, socket_connect_timeout=0.25, retry=Retry(ConstantBackoff(0), 0))
    # No read timeout: a worker waits for its next job for minutes (stack notes, §1).
    patient = Redis.from_url(url, socket_timeout=None, socket_connect_timeout=2.0)
    return Queue(hasty, patient)


def _embedded(runtime: Path) -> str | None:
    """The address of a running embedded Redis, proved by its process and a PING."""
    try:
        told = json.loads((runtime / ANNOUNCEMENT).read_text())
        socket, pid = str(told["socket"]), int(told["pid"])
        os.kill(pid, 0)
        url = f"unix://{socket}"
        Redis.from_url(url, socket_timeout=1.0, socket_connect_timeout=1.0).ping()
    except (OSError, ValueError, KeyError, TypeError, RedisError):
        return None
    return url
