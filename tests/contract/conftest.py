"""Every case meets every test, in front of one empty and one furnished simulator; each test finds them as opened."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contract.case import Case
from tests.contract.every import CASES
from tests.contract.meeting import NOON, Meeting, clinic_of
from tests.sandbox.process import RunningSandbox, running_sandbox


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "case" in metafunc.fixturenames:
        metafunc.parametrize("case", CASES.values(), ids=list(CASES), scope="session")


@pytest.fixture(scope="session")
def _empty() -> Iterator[RunningSandbox]:
    with running_sandbox("empty", paired=True) as running:
        yield running


@pytest.fixture(scope="session")
def _demo() -> Iterator[RunningSandbox]:
    with running_sandbox("demo", paired=True) as running:
        yield running


@pytest.fixture(scope="session")
def _practices() -> dict[tuple[int, str], str | None]:
    """Who each simulated clinic says it is, asked once."""
    return {}


def _meet(case: Case, sandbox: RunningSandbox, known: dict[tuple[int, str], str | None]) -> Iterator[Meeting]:
    clinic = clinic_of(case, sandbox).fresh(NOON)
    key = (sandbox.pid, case.kind)
    if key not in known:
        asking = Meeting(case, clinic, getattr(clinic, "tenant", None))
        known[key] = asking.practice or asking.open().identity().external_id
        asking.close()
        clinic.fresh(NOON)
    made = Meeting(case, clinic, known[key])
    yield made
    made.close()


@pytest.fixture
def meeting(case: Case, _empty: RunningSandbox, _practices: dict[tuple[int, str], str | None]) -> Iterator[Meeting]:
    """A clinic whose book is empty; noon of 9 March 2026, limits nobody meets."""
    yield from _meet(case, _empty, _practices)


@pytest.fixture
def busy(case: Case, _demo: RunningSandbox, _practices: dict[tuple[int, str], str | None]) -> Iterator[Meeting]:
    """A day that goes on around the clock, at noon."""
    yield from _meet(case, _demo, _practices)
