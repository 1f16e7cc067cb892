"""`runsheet doctor`: each thing that can be wrong in the night, in plain words, with what to do about it."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from redis import Redis
from sqlalchemy import update

from app import clock
from app.jobs.dispatch import TICKED
from app.jobs.worker import SyncWorker
from app.pms.registry import ADAPTERS
from app.store import connections, schedules
from app.store.models import PmsAppToken, PmsConnection
from app.store.models.connection import ConnectionState, Environment
from tests.cli.conftest import Shell
from tests.jobs.living import Practice

FAILED = 4
OTHER_KEY = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVowMTIzNDU="
ALL = {
    *("settings", "files", "database", "keys", "redis", "clock", "workers", "tick", "connections"),
    *("schedules", "secrets"),
    *ADAPTERS,
}


def findings(shell: Shell, **more: str | None) -> tuple[int, dict[str, tuple[bool, str]]]:
    told = shell("doctor", "--json", **more)
    for one in told.json:
        assert set(one) == {"check", "ok", "message"}
    return told.code, {one["check"]: (one["ok"], one["message"]) for one in told.json}


def wrong(shell: Shell, **more: str | None) -> dict[str, str]:
    """Only what fails; then the exit code says so too."""
    code, found = findings(shell, **more)
    failing = {name: told for name, (ok, told) in found.items() if not ok}
    assert code == (FAILED if failing else 0)
    return failing


@pytest.fixture
def staffed(practice: Practice) -> Iterator[Practice]:
    """A worker is at work, and the clock has ticked."""
    worker = SyncWorker.of(practice.house)
    worker.register_birth()
    practice.tick()
    yield practice
    worker.register_death()


def test_nothing_is_wrong_where_all_is_well(staffed: Practice, shell: Shell, redis_url: str) -> None:
    with staffed.store.write() as session:
        for row in schedules.of_connection(session, staffed.connection_id):
            row.enabled, row.next_due_at = True, clock.now() + timedelta(hours=1)
    code, found = findings(shell, REDIS_URL=redis_url)
    assert (code, [name for name, (ok, _) in found.items() if not ok]) == (0, [])
    assert set(found) == ALL - {"schedules"}
    assert found["connections"][1] == "1 in all, 0 need attention"
    assert found["workers"][1] == "1 at work"
    assert found["secrets"][1] == "every stored token and credential can be decrypted"
    lines = shell("doctor", REDIS_URL=redis_url).out.splitlines()
    assert len(lines) == len(found)
    assert all(line.startswith(("ok    ", "note  ")) for line in lines)


def test_a_database_that_was_not_migrated_or_does_not_answer(shell: Shell, tmp_path: Path) -> None:
    new = wrong(shell, DATABASE_URL=f"sqlite:///{tmp_path}/new.db")
    assert new == {"database": "not this release's tables; run: runsheet db upgrade"}
    away = wrong(shell, DATABASE_URL="postgresql://nobody@127.0.0.1:9/none?connect_timeout=2")
    assert away == {"database": "does not answer (OperationalError); check DATABASE_URL and that it runs"}


def test_redis_that_is_away_or_was_never_set(staffed: Practice, shell: Shell, tmp_path: Path) -> None:
    assert wrong(shell, REDIS_URL=f"unix://{tmp_path}/none.sock") == {
        "redis": "does not answer; syncs wait in the database until it does. Start it, or mend REDIS_URL"
    }
    code, found = findings(shell)
    assert (code, found["redis"]) == (
        0,
        (
            True,
            "No Redis: set REDIS_URL, or start everything with `make run`. Until then only `runsheet sync` works, in "
            "the foreground",
        ),
    )


def test_no_worker_and_no_tick(practice: Practice, shell: Shell, redis_url: str) -> None:
    assert wrong(shell, REDIS_URL=redis_url) == {
        "workers": "none is running, so every sync waits; start at least one: runsheet worker",
        "tick": "never; start: runsheet scheduler. A worker carries the ticks out",
    }
    with Redis.from_url(redis_url) as redis:
        redis.set(TICKED, int(time.time()) - 600)
    late = "last 10 min ago; start the scheduler again (runsheet scheduler); a worker carries the ticks out"
    assert wrong(shell, REDIS_URL=redis_url)["tick"] == late
    off = findings(shell, REDIS_URL=redis_url, ENABLE_SCHEDULER="false")[1]["tick"]
    assert off == (True, "ENABLE_SCHEDULER is off: only syncs somebody asks for are made")


def test_a_key_that_is_not_there(practice: Practice, shell: Shell) -> None:
    told = wrong(shell, ENCRYPTION_KEY=OTHER_KEY)
    assert set(told) == {"keys"}
    assert re.match(
        r"This database holds values encrypted with key [0-9a-f]{8}, which is not configured\.", told["keys"]
    )
    assert "Set ENCRYPTION_KEY to the key it was made with (or add it to OLD_ENCRYPTION_KEYS)." in told["keys"]
    none = wrong(
        shell, RUNSHEET_ENV="production", ENCRYPTION_KEY=None, ALLOW_SQLITE="true", REDIS_URL="redis://127.0.0.1:9/0"
    )
    assert set(none) == {"settings"}
    assert "ENCRYPTION_KEY is not set; production never makes its own secrets. Make one with: " in none["settings"]


def test_secrets_that_cannot_be_decrypted(staffed: Practice, shell: Shell, redis_url: str) -> None:
    with staffed.store.write() as session:
        session.execute(update(PmsAppToken).values(access_token="v1.spoiled"))
    assert wrong(shell, REDIS_URL=redis_url) == {
        "secrets": "1 stored token cannot be decrypted; put the earlier key back (OLD_ENCRYPTION_KEYS). Where it is "
        "lost: runsheet connections test CONNECTION, which asks for a new one"
    }
    failed = shell("sync", staffed.connection_id)
    assert (failed.code, failed.err.splitlines()[-1].partition(" The sheet")[0]) == (
        FAILED,
        "failed: The secrets stored here for Gentu cannot be decrypted: the key was changed, or the database altered.",
    )
    assert "cannot be decrypted" in wrong(shell, REDIS_URL=redis_url)["connections"]
    assert shell("connections", "test", staffed.connection_id).code == 0
    assert "secrets" not in wrong(shell, REDIS_URL=redis_url)


def test_vendor_settings_that_are_missing(staffed: Practice, shell: Shell, redis_url: str) -> None:
    """A fault where a practice depends on them; the demo's own simulator is set up by the demo."""
    missing = {"GENTU_APP_ID": None, "GENTU_CLIENT_SECRET": None}
    sentence = (
        "Gentu is not set up on this Runsheet: GENTU_APP_ID, GENTU_CLIENT_SECRET are not set. "
        "Magentus gives them to whoever registers the app."
    )
    code, found = findings(shell, REDIS_URL=redis_url, **missing)
    assert (code, found["gentu"]) == (0, (True, sentence))
    with staffed.store.write() as session:
        session.get_one(PmsConnection, staffed.connection_id).environment = Environment.LIVE
    assert wrong(shell, REDIS_URL=redis_url, **missing) == {"gentu": sentence}


def test_files_that_others_may_read_and_connections_in_need(staffed: Practice, shell: Shell, redis_url: str) -> None:
    with staffed.store.write() as session:
        connection = session.get_one(PmsConnection, staffed.connection_id)
        connections.set_state(connection, ConnectionState.NEEDS_ATTENTION, "auth_failed")
    home = Path(shell.environ["RUNSHEET_HOME"])
    home.chmod(0o755)
    told = wrong(shell, REDIS_URL=redis_url)
    assert set(told) == {"files", "connections"}
    assert told["files"] == f"other users can look into RUNSHEET_HOME; run: chmod 700 {home}"
    assert told["connections"].startswith("1 in all, 1 need attention; Gentu: Gentu refuses our credentials. ")
    assert findings(shell)[1]["schedules"] == (
        True,
        "2 switched off.",
    )
    person = shell("doctor")
    assert person.code == FAILED
    assert re.fullmatch(r"2 of \d+ checks failed\.\n", person.err)


def test_settings_that_make_no_sense_are_told_together(shell: Shell) -> None:
    told = wrong(shell, PORT="http", LOG_LEVEL="loud")
    assert set(told) == {"settings"}
    assert "PORT is “http”" in told["settings"]
    assert "LOG_LEVEL is “loud”" in told["settings"]
