"""A small and a big clinic of the simulator, one process each for all tests of this folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.register_assert_rewrite("tests.jobs.living")

from tests.jobs.living import Practice, environment, vendor  # noqa: E402 - rewritten first
from tests.sandbox.process import RunningSandbox, running_sandbox  # noqa: E402


@pytest.fixture(scope="session")
def _small() -> Iterator[RunningSandbox]:
    with running_sandbox("empty", tenants=2) as sandbox:
        yield sandbox


@pytest.fixture(scope="session")
def _big() -> Iterator[RunningSandbox]:
    with running_sandbox("big", practitioners=4, per_day=250) as sandbox:
        yield sandbox


@pytest.fixture
def clinic(_small: RunningSandbox) -> RunningSandbox:
    """An empty book."""
    _small.control("reset")
    return _small


@pytest.fixture
def big_clinic(_big: RunningSandbox) -> RunningSandbox:
    """Four practitioners with 250 appointments a day each: twelve pages."""
    _big.control("reset")
    return _big


@pytest.fixture
def living(tmp_path: Path, database_url: str, redis_url: str) -> Iterator[Callable[..., Practice]]:
    """Makes practices: `living(sandbox, **environment)`; without a simulator they have nobody to sync with."""
    made: list[Practice] = []

    def make(sandbox: RunningSandbox | None = None, **more: str) -> Practice:
        given = vendor(sandbox) if sandbox else {}
        made.append(Practice(environment(tmp_path / "home", database_url, redis_url, **given, **more), sandbox))
        return made[-1]

    yield make
    for practice in made:
        practice.close()
