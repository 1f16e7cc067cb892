"""`runsheet doctor`: what is set up, what is not, and what to do about it."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from dataclasses import dataclass

import click
from redis import Redis, RedisError
from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError

from app import clock
from app.cli.house import house
from app.cli.output import FAILED, json_option, tell
from app.domain.names import duration_words
from app.errors import SettingsError
from app.jobs.dispatch import TICKED
from app.parts import Parts
from app.pms.errors import PmsError
from app.pms.factory import environment_for
from app.pms.registry import ADAPTERS
from app.store import connections, migrate
from app.store.models import SyncSchedule
from app.store.models.connection import ConnectionState

TICK_LATE_S = 90
SKEW_S = 2.0


@dataclass(frozen=True, slots=True)
class Check:
    """One finding. `ok` None: nothing is wrong, but there is advice."""

    name: str
    ok: bool | None
    told: str


@click.command()
@json_option
@click.pass_context
def doctor(ctx: click.Context, as_json: bool) -> None:
    """Check settings, keys, files, database, Redis, clock and connections, and say what to do.

    Exit code 4 when something is wrong; advice alone is 0.
    """
    with house(current=False) as here:
        found = list(_checks(here))
    told = [{"check": one.name, "ok": one.ok is not False, "message": one.told} for one in found]
    marks = {True: "ok  ", None: "note", False: "FAIL"}
    tell(told, as_json, lambda: [f"{marks[one.ok]}  {one.name}: {one.told}" for one in found])
    wrong = sum(one.ok is False for one in found)
    if wrong:
        click.echo(f"{wrong} of {len(found)} checks failed.", err=True)
        ctx.exit(FAILED)


def _checks(here: Parts) -> Iterator[Check]:
    yield Check("settings", True, f"environment {here.settings.env}")
    yield _files(here)
    try:
        current = migrate.is_current(here.store)
    except DBAPIError as error:
        yield Check("database", False, f"does not answer ({type(error).__name__}); check DATABASE_URL and that it runs")
        current = False
    else:
        told = f"{here.store.dialect}, up to date" if current else "not this release's tables; run: runsheet db upgrade"
        yield Check("database", current, told)
    yield _secrets(here)
    yield from _redis(here)
    for kind in ADAPTERS:
        yield _vendor(here, kind)
    if current:
        yield from _connections(here)


def _files(here: Parts) -> Check:
    home = here.settings.home
    open_to_all = home.exists() and stat.S_IMODE(home.stat().st_mode) & 0o077
    if open_to_all:
        return Check("files", False, f"other users can look into RUNSHEET_HOME; run: chmod 700 {home}")
    return Check("files", True, "RUNSHEET_HOME belongs to its owner alone")


def _secrets(here: Parts) -> Check:
    try:
        assert here.vault
    except SettingsError as error:
        return Check("keys", False, str(error))
    except DBAPIError:
        return Check("keys", None, "cannot be compared with the database while that does not answer")
    if here.settings.stretched_key:
        return Check("keys", None, "the key was stretched from a pass phrase; rotate to 32 random bytes")
    if here.settings.generated_secrets:
        return Check("keys", None, "made here on first start; set SECRET_KEY and ENCRYPTION_KEY in production")
    return Check("keys", True, "set by the operator")


def _redis(here: Parts) -> Iterator[Check]:
    hasty = here.queue.hasty
    if hasty is None:
        yield Check("redis", None, here.queue.why)
        return
    try:
        hasty.ping()
        ticked = hasty.get(TICKED)
        skew = abs(clock.now().timestamp() - _time_of(hasty))
    except RedisError:
        yield Check("redis", False, "set, but does not answer; syncs wait in the database until it does")
        return
    yield Check("redis", True, "answers")
    late = f"this machine and Redis differ by {skew:.1f} s; set the clocks by NTP"
    yield Check("clock", skew <= SKEW_S, late if skew > SKEW_S else "agrees with Redis")
    if not here.settings.enable_scheduler:
        yield Check("tick", None, "ENABLE_SCHEDULER is off: only syncs somebody asks for are made")
    elif ticked is None:
        yield Check("tick", False, "no tick yet; start `runsheet scheduler` and at least one `runsheet worker`")
    else:
        age = clock.now().timestamp() - float(ticked)
        late = "; check scheduler and workers" if age > TICK_LATE_S else ""
        yield Check("tick", age <= TICK_LATE_S, f"last {duration_words(age)} ago{late}")


def _time_of(redis: Redis) -> float:
    seconds, micros = redis.time()
    return seconds + micros / 1e6


def _vendor(here: Parts, kind: str) -> Check:
    vendor = here.settings.vendor(kind)
    try:
        environment = environment_for(kind, vendor)
    except PmsError as error:
        return Check(kind, None, str(error))
    missing = not vendor.extra
    told = f"{environment}; no credentials set, so nothing can be paired" if missing else environment
    return Check(kind, None if missing else True, told)


def _connections(here: Parts) -> Iterator[Check]:
    with here.store.read() as session:
        states = [one.state for one in connections.everywhere(session)]
        off = session.scalar(select(func.count()).select_from(SyncSchedule).where(~SyncSchedule.enabled)) or 0
    needing = sum(state == ConnectionState.NEEDS_ATTENTION for state in states)
    yield Check("connections", needing == 0, f"{len(states)} in all, {needing} need attention")
    if off:
        yield Check("schedules", None, f"{off} switched off; the log names those that could not be read")
