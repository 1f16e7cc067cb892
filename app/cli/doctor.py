"""`runsheet doctor`: what is set up, what is not, and what to do about it."""

from __future__ import annotations

import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import click
from redis import Redis, RedisError
from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError

from app import clock
from app.cli.house import house
from app.cli.output import FAILED, json_option, tell
from app.domain.names import duration_words
from app.domain.reasons import explain
from app.errors import SettingsError
from app.jobs import queues
from app.jobs.dispatch import TICKED
from app.parts import Parts
from app.pms.errors import PmsError
from app.pms.factory import environment_for
from app.pms.registry import ADAPTERS
from app.store import connections, credentials, migrate, tokens
from app.store.models import PmsConnection, SyncSchedule
from app.store.models.connection import ConnectionState, Environment
from app.sync import preview

TICK_LATE_S = 90
SKEW_S = 2.0
#: What practices rely on now.
_SYNCING = (ConnectionState.ACTIVE, ConnectionState.NEEDS_ATTENTION)


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
    try:
        with house(current=False) as here:
            found = list(_checks(here))
    except SettingsError as error:  # nothing else can be looked at
        found = [Check("settings", False, str(error))]
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
    keys = _keys(here)
    yield keys
    yield from _redis(here)
    known = _known(here) if current else []
    for kind in ADAPTERS:
        yield _vendor(here, kind, [one for one in known if one.pms_type == kind])
    if current:
        yield _connections(known)
        yield from _schedules(here)
    if current and keys.ok is not False:
        yield _secrets(here)


def _files(here: Parts) -> Check:
    home = here.settings.home
    open_to_all = home.exists() and stat.S_IMODE(home.stat().st_mode) & 0o077
    if open_to_all:
        return Check("files", False, f"other users can look into RUNSHEET_HOME; run: chmod 700 {home}")
    return Check("files", True, "RUNSHEET_HOME belongs to its owner alone")


def _keys(here: Parts) -> Check:
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
        yield Check("redis", None, f"{here.queue.why} Until then only `runsheet sync` works, in the foreground")
        return
    try:
        hasty.ping()
        ticked = hasty.get(TICKED)
        skew = abs(clock.now().timestamp() - _time_of(hasty))
        workers = queues.workers(hasty)
    except RedisError:
        told = "does not answer; syncs wait in the database until it does. Start it, or mend REDIS_URL"
        yield Check("redis", False, told)
        return
    yield Check("redis", True, "answers")
    late = f"this machine and Redis differ by {skew:.1f} s; set the clocks by NTP"
    yield Check("clock", skew <= SKEW_S, late if skew > SKEW_S else "agrees with Redis")
    none = "none is running, so every sync waits; start at least one: runsheet worker"
    yield Check("workers", workers > 0, f"{workers} at work" if workers else none)
    if not here.settings.enable_scheduler:
        yield Check("tick", None, "ENABLE_SCHEDULER is off: only syncs somebody asks for are made")
    elif ticked is None:
        yield Check("tick", False, "never; start: runsheet scheduler. A worker carries the ticks out")
    else:
        age = clock.now().timestamp() - float(ticked)
        late = "; start the scheduler again (runsheet scheduler); a worker carries the ticks out"
        late = late if age > TICK_LATE_S else ""
        yield Check("tick", age <= TICK_LATE_S, f"last {duration_words(age)} ago{late}")


def _time_of(redis: Redis) -> float:
    seconds, micros = redis.time()
    return seconds + micros / 1e6


def _vendor(here: Parts, kind: str, known: Sequence[PmsConnection]) -> Check:
    """What is not set is a fault where a practice depends on it. The demo hands its simulator's settings on itself."""
    try:
        environment, lacks = environment_for(kind, here.settings.vendor(kind)), here.engine.lacks(kind)
    except PmsError as error:
        return Check(kind, None, str(error))
    except (SettingsError, DBAPIError):
        return Check(kind, None, "cannot be looked at without the keys and the database")
    if lacks is None:
        return Check(kind, True, environment)
    needed = any(one.state in _SYNCING and one.environment != Environment.SIMULATOR for one in known)
    return Check(kind, False if needed else None, lacks)


def _known(here: Parts) -> Sequence[PmsConnection]:
    with here.store.read() as session:
        return connections.everywhere(session)


def _connections(known: Sequence[PmsConnection]) -> Check:
    needing = [one for one in known if one.state == ConnectionState.NEEDS_ATTENTION]
    told = f"{len(known)} in all, {len(needing)} need attention"
    words = [
        f"{one.display_name}: "
        f"{explain(one.state_reason, one.display_name, typed=preview.is_typed(one.pms_type)).sentence}"
        for one in needing
    ]
    return Check("connections", not needing, "; ".join([told, *words]))


#: Reasons that are told; more of them is a job for `runsheet schedule show`.
_FEW = 5


def _schedules(here: Parts) -> Iterator[Check]:
    with here.store.read() as session:
        off = session.scalar(select(func.count()).select_from(SyncSchedule).where(~SyncSchedule.enabled)) or 0
        why = session.scalars(
            select(SyncSchedule.off_reason).where(SyncSchedule.off_reason.is_not(None)).distinct().limit(_FEW)
        )
        reasons = " ".join(sorted(reason for reason in why if reason))
    if off:
        yield Check("schedules", None, f"{off} switched off. {reasons}".strip())


def _secrets(here: Parts) -> Check:
    lost, typed = tokens.unreadable(here.store, here.vault), credentials.unreadable(here.store, here.vault)
    if not lost and not typed:
        return Check("secrets", True, "every stored token and credential can be decrypted")
    told = [f"{lost} stored {'token' if lost == 1 else 'tokens'}"] if lost else []
    told += [f"{typed} stored {'credential' if typed == 1 else 'credentials'}"] if typed else []
    anew = ["runsheet connections test CONNECTION, which asks for a new one"] if lost else []
    anew += ["runsheet connections credentials CONNECTION --set ..., which stores them anew"] if typed else []
    return Check(
        "secrets",
        False,
        f"{' and '.join(told)} cannot be decrypted; put the earlier key back (OLD_ENCRYPTION_KEYS). "
        f"Where it is lost: {'; or '.join(anew)}",
    )
