"""What the default schedule asks of each vendor in a day is what the vendor allows, and what docs/adapters.md says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import astuple, replace

import pytest

from app.security.vault import Vault
from app.store.db import Store
from scripts import adapters
from tests.contract.case import Case
from tests.contract.spending import budget, spent
from tests.fixtures.databases import KEY, Sqlite
from tests.sandbox.process import RunningSandbox

AGAIN = "write it anew: python scripts/adapters.py"


@pytest.fixture
def database_url(sqlite_databases: Sqlite) -> Iterator[str]:
    """What is asked over HTTP is no matter of the database."""
    url = sqlite_databases.fresh()
    yield url
    sqlite_databases.drop(url)


@pytest.mark.slow
def test_a_days_requests_are_within_the_vendors_budget(case: Case, _demo: RunningSandbox, store: Store) -> None:
    if case.list_path is None:
        pytest.skip("It is not asked over HTTP.")
    found = spent(case, _demo, store, Vault(KEY))
    allowed, _ = budget(case.kind)
    assert found.hour > 0
    assert found.night > 0
    assert found.day <= allowed, found
    told = adapters.figures_of(adapters.PAGE.read_text())[case.kind]
    for one, other in zip(astuple(replace(found, pairing=told.pairing)), astuple(told), strict=True):
        assert about(one, other), (found, told, AGAIN)


def about(counted: int | None, told: int | None) -> bool:
    """A request more or less is no news: what is asked side by side may be asked together, or not."""
    if counted is None or told is None:
        return counted is told
    return abs(counted - told) <= max(2, 0.05 * told)


def test_the_page_of_adapters_says_what_the_code_says() -> None:
    written = adapters.PAGE.read_text()
    assert adapters.page(adapters.figures_of(written)) == written, AGAIN
