"""One empty and one furnished hospital for each module; each test finds them as freshly opened, at noon."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from app.pms.ezyvet.adapter import EzyvetAdapter
from tests.pms.ezyvet.hospital import Hospital
from tests.sandbox.process import RunningSandbox, running_sandbox


@pytest.fixture(scope="module")
def _empty() -> Iterator[RunningSandbox]:
    with running_sandbox("empty") as running:
        yield running


@pytest.fixture(scope="module")
def _demo() -> Iterator[RunningSandbox]:
    with running_sandbox("demo") as running:
        yield running


@pytest.fixture
def hospital(_empty: RunningSandbox) -> Iterator[Hospital]:
    """Nobody is booked."""
    made = Hospital(_empty).fresh()
    yield made
    made.close()


@pytest.fixture
def busy(_demo: RunningSandbox) -> Iterator[Hospital]:
    """A day that goes on around the clock; noon of 9 March 2026."""
    made = Hospital(_demo).fresh()
    yield made
    made.close()


@pytest.fixture
def adapter(hospital: Hospital) -> EzyvetAdapter:
    return hospital.open()
