"""What every test may ask for. Tests that touch rows run once per database; the network is closed but for loopback."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from flask import Flask
from pytest_socket import socket_allow_hosts

from app import create_app
from app.config import Settings
from app.security import passwords
from app.store.db import Store, db

pytest_plugins = [
    "tests.rows",
    "tests.fixtures.databases",
    "tests.fixtures.redis",
    "tests.jobs.living",
    "tests.jobs.clinics",
]

_CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--db", choices=("sqlite", "postgresql", "both"), default="both", help="which databases to use")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "db_kind" in metafunc.fixturenames:
        chosen = metafunc.config.getoption("--db")
        metafunc.parametrize("db_kind", ("sqlite", "postgresql") if chosen == "both" else (chosen,))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    socket_allow_hosts(["127.0.0.1", "::1", "localhost"], allow_unix_socket=True)


@pytest.fixture(autouse=True)
def _quick_passwords(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Argon2id as ever, at a small price: a thousand tests sign somebody in. `full_price` pays what users pay."""
    if "full_price" not in request.fixturenames:
        monkeypatch.setattr(passwords, "_hasher", _CHEAP)
    passwords._dummy_hash.cache_clear()


@pytest.fixture
def full_price() -> None:
    """This test is about what a password costs."""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def settings(home: Path, database_url: str) -> Settings:
    from tests.fixtures.databases import settings_for  # noqa: PLC0415 - a plugin: pytest must be the first to import it

    return settings_for(home, database_url)


@pytest.fixture
def app(settings: Settings) -> Iterator[Flask]:
    """The application over an empty, migrated database."""
    made = create_app(settings)
    with made.app_context():
        yield made
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def store(app: Flask) -> Store:
    found: Store = app.extensions["runsheet.store"]
    return found
