"""Finding Redis: `REDIS_URL`, else the embedded one that announces itself in `<home>/run/redis.json`, else none."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from redis import Redis, RedisError
from redis.backoff import ConstantBackoff
from redis.retry import Retry

ANNOUNCEMENT = "redis.json"


@dataclass(frozen=True, slots=True)
class Announced:
    """An embedded Redis as its guard announces it."""

    socket: str
    pid: int

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    def answers(self, within_s: float = 2.0) -> bool:
        with Redis.from_url(
            self.url, socket_timeout=within_s, socket_connect_timeout=within_s, retry=_retry(0)
        ) as probe:
            try:
                return bool(probe.ping())
            except (RedisError, OSError):
                return False


def announced(runtime: Path) -> Announced | None:
    """What the last guard wrote; None where nobody did, or it cannot be read. It may have died since."""
    try:
        told = json.loads((runtime / ANNOUNCEMENT).read_text())
        return Announced(str(told["socket"]), int(told["pid"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


@dataclass(frozen=True, slots=True)
class Queue:
    """Ways to the same Redis. All None where there is none; `why` then says it in a sentence.

    hasty: for pages; gives up after a quarter of a second. patient: for workers, which can wait out a restart.
    prompt: for the rate limiter, which has something else to do when Redis is away, but not at the first hiccup.
    """

    hasty: Redis | None
    patient: Redis | None
    prompt: Redis | None = None
    why: str = ""

    def close(self) -> None:
        for way in (self.hasty, self.patient, self.prompt):
            if way is not None:
                way.close()


def connect(url: str | None, runtime: Path) -> Queue:
    """Ways to Redis. Opens no connection where `url` is given; an embedded one must answer a PING."""
    if url is None:
        found = announced(runtime)
        url = found.url if found and found.answers() else None
    if url is None:
        return Queue(None, None, why="No Redis: set REDIS_URL, or start everything with `make run`.")
    return Queue(
        hasty=Redis.from_url(url, socket_timeout=0.25, socket_connect_timeout=0.25, retry=_retry(0)),
        # Longer than a worker waits for its next job; not for ever, should Redis hang.
        patient=Redis.from_url(url, socket_timeout=60.0, socket_connect_timeout=2.0),
        prompt=Redis.from_url(url, socket_timeout=2.0, socket_connect_timeout=1.0, retry=_retry(1)),
    )


def _retry(times: int) -> Retry:
    return Retry(ConstantBackoff(0.05), times)
