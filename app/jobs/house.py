"""What the jobs of one process work with. Set once at the start, before anything is forked."""

from __future__ import annotations

from dataclasses import dataclass

from redis import Redis

from app.errors import RunsheetError
from app.store.db import Store
from app.sync.engine import Engine


@dataclass(frozen=True, slots=True)
class House:
    """timeout_ms: SYNC_TIMEOUT_MS. dispatches: ENABLE_SCHEDULER; off means that no tick makes runs by itself."""

    engine: Engine
    redis: Redis
    timeout_ms: int
    dispatches: bool = True

    @property
    def store(self) -> Store:
        return self.engine.store

    @property
    def timeout_s(self) -> int:
        return max(1, self.timeout_ms // 1000)


_house: list[House] = []


def move_in(house: House) -> None:
    _house[:] = [house]


def house() -> House:
    if not _house:
        raise RunsheetError("This process was not started as a worker: run `runsheet worker`.")
    return _house[0]
