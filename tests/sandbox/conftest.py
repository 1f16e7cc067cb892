"""One empty and one demo clinic for all tests of this folder; each test finds them as freshly opened."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

from .client import Client
from .process import RunningSandbox, running_sandbox


@pytest.fixture(scope="session")
def _empty() -> Iterator[RunningSandbox]:
    with running_sandbox("empty", tenants=2, paired=True) as sandbox:
        yield sandbox


@pytest.fixture(scope="session")
def _demo() -> Iterator[RunningSandbox]:
    with running_sandbox("demo", paired=True) as sandbox:
        yield sandbox


@pytest.fixture
def http() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        yield session


@pytest.fixture
def sandbox(_empty: RunningSandbox) -> RunningSandbox:
    """An empty book, every practice paired."""
    _empty.control("reset")
    return _empty


@pytest.fixture
def demo(_demo: RunningSandbox) -> RunningSandbox:
    """The demo clinic."""
    _demo.control("reset")
    return _demo


@pytest.fixture
def gentu(sandbox: RunningSandbox, http: requests.Session) -> Client:
    """A client of the empty clinic."""
    return Client(sandbox, http)


@pytest.fixture
def demo_gentu(demo: RunningSandbox, http: requests.Session) -> Client:
    """A client of the demo clinic."""
    return Client(demo, http)
