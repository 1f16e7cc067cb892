"""Every knob: typed, refused together, never half read."""

from __future__ import annotations

import base64
import contextlib
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import config
from app.config import Settings, VendorSettings
from app.errors import SettingsError

KEY = base64.b64encode(bytes(range(32))).decode()
OTHER_KEY = base64.b64encode(bytes(range(1, 33))).decode()
SECRET = "0123456789abcdef0123456789abcdef"
PRODUCTION = {
    "RUNSHEET_ENV": "production",
    "DATABASE_URL": "postgresql://db.example/runsheet",
    "REDIS_URL": "rediss://redis.example",
    "SECRET_KEY": SECRET,
    "ENCRYPTION_KEY": KEY,
}


@pytest.fixture(autouse=True)
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout of the test's own: no .env.local of a developer is read, nothing is written beside the code."""
    monkeypatch.setattr(config, "ROOT", tmp_path)
    return tmp_path


def settings(**environ: str) -> Settings:
    return Settings.from_env({"RUNSHEET_ENV": "test", "SECRET_KEY": SECRET, "ENCRYPTION_KEY": KEY, **environ})


def refusal(**environ: str) -> str:
    with pytest.raises(SettingsError) as refused:
        settings(**environ)
    return str(refused.value)


def test_the_defaults_are_those_of_the_readme(checkout: Path) -> None:
    told = settings()
    assert (told.host, told.port, told.headless, told.sync_timeout_ms) == ("127.0.0.1", 5050, True, 300_000)
    assert (told.enable_scheduler, told.log_format, told.log_level) == (True, "console", "info")
    assert told.database_url == f"sqlite:///{checkout / 'var' / 'runsheet.db'}"
    assert told.redis_url is None
    assert told.home == checkout / "var"
    assert told.runtime == checkout / "var" / "run"
    assert told.vendors == {}
    assert told.vendor("gentu") == VendorSettings()


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("RUNSHEET_ENV", "prod", "development, production, test"),
        ("PORT", "0", "1 to 65535"),
        ("PORT", "http", "whole number"),
        ("SYNC_TIMEOUT_MS", "10", "1000"),
        ("HEADLESS", "maybe", "true or false"),
        ("ENABLE_SCHEDULER", "2", "true or false"),
        ("LOG_FORMAT", "xml", "json, console"),
        ("LOG_LEVEL", "loud", "debug, info"),
        ("TRUSTED_PROXIES", "-1", "0 to 5"),
        ("DATABASE_URL", "mysql://x", "postgresql:// or sqlite:///"),
        ("REDIS_URL", "http://x", "redis://"),
        ("GENTU_BASE_URL", "ftp://x", "https:// or http://"),
        ("GENTU_TOKEN_URL", "nonsense", "https:// or http://"),
        ("GENTU_REQUESTS_PER_MINUTE", "0", "1 to"),
        ("GENTU_CONCURRENCY", "100", "1 to 64"),
        ("SECRET_KEY", "short", "32 random"),
        ("SECRET_KEY", "a" * 40, "32 random"),
        ("ENCRYPTION_KEY", "short", "32 random bytes in base64"),
        ("ENCRYPTION_KEY", base64.b64encode(bytes(32)).decode(), "32 random bytes in base64"),
        ("ENCRYPTION_KEY", "ä" * 44, "32 random bytes in base64"),
        ("OLD_ENCRYPTION_KEYS", f"{OTHER_KEY},nonsense", "OLD_ENCRYPTION_KEYS"),
        ("SECRET_KEY_FILE", "/nowhere/at/all", "cannot be read"),
    ],
)
@pytest.mark.security("X23")
def test_nonsense_is_refused_with_its_name_and_what_would_do(name: str, value: str, says: str) -> None:
    told = refusal(**{name: value})
    assert name.removesuffix("_FILE") in told
    assert says in told


def test_all_faults_are_told_at_once_and_none_of_them_shows_a_secret() -> None:
    told = refusal(PORT="x", LOG_LEVEL="loud", ENCRYPTION_KEY="hush-hush", SECRET_KEY="tiny")
    assert all(name in told for name in ("PORT", "LOG_LEVEL", "ENCRYPTION_KEY", "SECRET_KEY"))
    assert "hush-hush" not in told
    assert "tiny" not in told


@given(st.dictionaries(st.sampled_from(["PORT", "HEADLESS", "LOG_LEVEL", "DATABASE_URL", "REDIS_URL"]), st.text()))
def test_no_value_fails_in_another_way_than_by_refusal(environ: dict[str, str]) -> None:
    with contextlib.suppress(SettingsError):
        settings(**environ)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({}, None),
        ({"SECRET_KEY": ""}, "SECRET_KEY is not set"),
        ({"ENCRYPTION_KEY": ""}, "ENCRYPTION_KEY is not set"),
        ({"DATABASE_URL": ""}, "PostgreSQL"),
        ({"DATABASE_URL": "sqlite:////data/x.db"}, "PostgreSQL"),
        ({"DATABASE_URL": "sqlite:////data/x.db", "ALLOW_SQLITE": "true"}, None),
        ({"REDIS_URL": ""}, "its own Redis"),
        ({"GENTU_BASE_URL": "http://gentu.example"}, "https://"),
        ({"GENTU_BASE_URL": "https://gentu.example"}, None),
    ],
)
@pytest.mark.security("X23")
def test_production_makes_nothing_up(checkout: Path, change: dict[str, str], says: str | None) -> None:
    environ = PRODUCTION | change
    if says is None:
        told = Settings.from_env(environ)
        assert (told.production, told.log_format, told.generated_secrets) == (True, "json", False)
    else:
        with pytest.raises(SettingsError, match=says):
            Settings.from_env(environ)
    assert list(checkout.iterdir()) == []


def test_a_developer_gets_secrets_that_stay_and_that_nobody_else_reads(checkout: Path) -> None:
    first, second = Settings.from_env({}), Settings.from_env({})
    assert first.generated_secrets
    assert (first.secret_key, first.encryption_key) == (second.secret_key, second.encryption_key)
    assert len(first.encryption_key) == 32
    folder = checkout / "var" / "secrets"
    assert stat.S_IMODE((checkout / "var").stat().st_mode) == 0o700
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_settings_that_are_refused_leave_no_secrets_behind(checkout: Path) -> None:
    with pytest.raises(SettingsError):
        Settings.from_env({"PORT": "x"})
    assert not (checkout / "var").exists()


def test_an_empty_secret_of_a_process_that_died_says_what_to_do(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config.time, "sleep", lambda _: None)
    folder = checkout / "var" / "secrets"
    folder.mkdir(parents=True)
    (folder / "secret_key").touch()
    with pytest.raises(SettingsError, match="delete it"):
        Settings.from_env({})


def test_a_value_may_come_from_a_file(tmp_path: Path) -> None:
    for name, text in {"id": "client", "secret": "hush\n", "app": "app"}.items():
        (tmp_path / name).write_text(text)
    told = settings(
        GENTU_CLIENT_ID_FILE=str(tmp_path / "id"),
        GENTU_CLIENT_SECRET_FILE=str(tmp_path / "secret"),
        GENTU_APP_ID_FILE=str(tmp_path / "app"),
    )
    assert told.vendor("gentu").extra == {"client_id": "client", "client_secret": "hush", "app_id": "app"}


def test_a_vendors_settings_are_found_under_its_name() -> None:
    told = settings(
        GENTU_CLIENT_ID="c",
        GENTU_CLIENT_SECRET="s",
        GENTU_BASE_URL="https://gentu.example/v1/",
        GENTU_REQUESTS_PER_MINUTE="30",
        GENTU_CONCURRENCY="2",
        INTAKEQ_REQUESTS_PER_DAY="900",
        HALAXY_TOKEN_URL="https://halaxy.example/token",
        OTHER_THING="x",
        _CLIENT_ID="x",
    )
    gentu = told.vendor("gentu")
    assert (gentu.base_url, gentu.requests_per_minute, gentu.concurrency) == ("https://gentu.example/v1", 30, 2)
    assert gentu.extra == {"client_id": "c", "client_secret": "s"}
    assert told.vendor("intakeq").requests_per_day == 900
    assert told.vendor("halaxy").token_url == "https://halaxy.example/token"
    assert set(told.vendors) == {"gentu", "halaxy", "intakeq"}


def test_no_secret_shows_when_settings_are_printed() -> None:
    told = repr(settings(GENTU_CLIENT_ID="c-id", GENTU_CLIENT_SECRET="hush", DATABASE_URL="postgresql://u:pw@db/x"))
    assert not any(secret in told for secret in ("hush", "pw@", SECRET, KEY, repr(bytes(range(32)))))


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_a_postgresql_url_is_spelt_for_our_driver(scheme: str) -> None:
    assert settings(DATABASE_URL=f"{scheme}://h/x").database_url == "postgresql+psycopg://h/x"


def test_a_key_that_is_no_random_bytes_is_stretched_and_said_so() -> None:
    told = settings(ENCRYPTION_KEY="", IDEXX_ENCRYPTION_KEY="any 32 characters will do here..")
    assert told.stretched_key
    assert len(told.encryption_key) == 32
    again = settings(ENCRYPTION_KEY="", IDEXX_ENCRYPTION_KEY="any 32 characters will do here..")
    assert again.encryption_key == told.encryption_key
    assert "at least 32" in refusal(ENCRYPTION_KEY="", IDEXX_ENCRYPTION_KEY="short")
    assert not settings(IDEXX_ENCRYPTION_KEY="any 32 characters will do here..").stretched_key


def test_older_keys_are_read() -> None:
    assert settings(OLD_ENCRYPTION_KEYS=f" {OTHER_KEY} ,").old_encryption_keys == (bytes(range(1, 33)),)


@pytest.mark.parametrize(("env", "read"), [("development", True), ("test", False), ("production", False)])
def test_the_local_file_is_read_in_development_only_and_the_environment_wins(
    checkout: Path, env: str, read: bool
) -> None:
    (checkout / ".env.local").write_text("HOST=0.0.0.0\nLOG_LEVEL=debug\n")
    told = Settings.from_env(PRODUCTION | {"RUNSHEET_ENV": env, "LOG_LEVEL": "error"})
    assert told.host == ("0.0.0.0" if read else "127.0.0.1")
    assert told.log_level == "error"


def test_without_a_mapping_the_environment_itself_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("GENTU_", "RUNSHEET_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("RUNSHEET_ENV", "test")
    monkeypatch.setenv("PORT", "6060")
    assert Settings.from_env().port == 6060


def test_a_root_for_drop_folders_alone_makes_a_vendor() -> None:
    assert settings(LAB_DROP_ROOT="/srv").vendor("lab").extra == {"drop_root": "/srv"}
