"""What the clock does for the house itself, now and then: wipe what a practice's limit has reached (A29)."""

from __future__ import annotations

import logging
from datetime import timedelta
from functools import partial
from uuid import UUID

from redis import Redis
from sqlalchemy.orm import Session

from app import clock
from app.store import practices, read_pages, retention
from app.store.db import Store
from app.store.retention import Wiped

log = logging.getLogger(__name__)

DONE = "runsheet:wiped-at"
#: Limits are days: looking at them every ten minutes is often enough.
EVERY_S = 600
#: How long a page of a PMS is remembered that was not met again. Windows move on every day.
PAGES_FOR = timedelta(days=2)


def wipe(store: Store, redis: Redis) -> int:
    """One pass over every practice, a transaction each, at most every ten minutes. How much was wiped.

    Where a pass stopped at its bound the next tick goes on. Two at once wipe the same, once.
    """
    if not redis.set(DONE, int(clock.now().timestamp()), nx=True, ex=EVERY_S):
        return 0
    with store.read() as session:
        ids = [practice.id for practice in practices.everyone(session)]
    passes = [store.transact(partial(_wipe_one, id_)) for id_ in ids]
    if any(one.more for one in passes):
        redis.delete(DONE)
    count = sum(one.payloads + one.sheets + one.notes for one in passes)
    if count:
        log.info("wiped by the practices' limits", extra={"count": count})
    return count


def _wipe_one(practice_id: UUID, session: Session) -> Wiped:
    read_pages.forget_older(session, practice_id, clock.now() - PAGES_FOR)
    return retention.wipe(session, practices.get(session, practice_id), clock.now())
