"""`runsheet doctor`: what is set up, what is not, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import click
from redis import RedisError

from app import clock
from app.cli.output import FAILED, House, house, json_option, tell
from app.domain.names import duration_words
from app.jobs.dispatch import TICKED
from app.pms.errors import PmsError
from app.pms.factory import environment_for
from app.pms.registry import ADAPTERS
from app.store import connections, migrate

TICK_LATE_S = 90


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
    """Check settings, keys, database, Redis, clock and connections, and say what to do."""
    with house(current=False) as here:
        found = list(_checks(here))
    told = [{"check": one.name, "ok": one.ok is not False, "message": one.told} for one in found]
    marks = {True: "ok  ", None: "note", False: "FAIL"}
    tell(told, as_json, lambda: [f"{marks[one.ok]}  {one.name}: {one.told}" for one in found])
    if any(one.ok is False for one in found):
        ctx.exit(FAILED)


def _checks(here: House) -> Iterator[Check]:
    yield Check("settings", True, f"environment {here.settings.env}")
    yield _secrets(here)
    current = migrate.is_current(here.store)
    told = f"{here.store.dialect}, up to date" if current else "not this release's tables; run: runsheet db upgrade"
    yield Check("database", current, told)
    yield from _redis(here)
    for kind in ADAPTERS:
        yield _vendor(here, kind)
    if current:
        with here.store.read() as session:
            states = [one.state for one in connections.everywhere(session)]
        needing = sum(state == "needs_attention" for state in states)
        yield Check("connections", needing == 0, f"{len(states)} in all, {needing} need attention")


def _secrets(here: House) -> Check:
    if here.settings.stretched_key:
        return Check("keys", None, "the key was stretched from a pass phrase; rotate to 32 random bytes")
    if here.settings.generated_secrets:
        return Check("keys", None, "made here on first start; set SECRET_KEY and ENCRYPTION_KEY in production")
    return Check("keys", True, "set by the operator")


def _redis(here: House) -> Iterator[Check]:
    hasty = here.queue.hasty
    if hasty is None:
        yield Check("redis", None, here.queue.why)
        return
    try:
        hasty.ping()
        ticked = hasty.get(TICKED)
    except RedisError:
        yield Check("redis", False, "set, but does not answer; syncs wait in the database until it does")
        return
    yield Check("redis", True, "answers")
    if ticked is None:
        yield Check("tick", False, "no tick yet; start `runsheet scheduler` and at least one `runsheet worker`")
        return
    age = clock.now().timestamp() - float(ticked)
    late = age > TICK_LATE_S
    yield Check("tick", not late, f"last {duration_words(age)} ago" + ("; check scheduler and workers" if late else ""))


def _vendor(here: House, kind: str) -> Check:
    vendor = here.settings.vendor(kind)
    try:
        environment = environment_for(kind, vendor)
    except PmsError as error:
        return Check(kind, None, str(error))
    missing = not vendor.extra
    told = f"{environment}; no credentials set, so nothing can be paired" if missing else environment
    return Check(kind, None if missing else True, told)
