"""rq-scheduler as a clock and nothing else: one job, one fixed id, every 30 s. What is due lives in the database.

Its known faults (faults §4.1) lose their sting that way: an extra, late or doubled tick is one cheap query, and a
tick lost for ever is put back by the watchdog.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from datetime import UTC, datetime
from typing import cast

from redis import Redis, RedisError
from rq.exceptions import DeserializationError, NoSuchJobError
from rq_scheduler import Scheduler

from app.errors import RunsheetError
from app.jobs import lifeline, queues
from app.jobs.queues import TICK_ID

log = logging.getLogger(__name__)

TICK_S = 30
_TASK = "app.jobs.tasks.tick"
_LOOK_S = 5  # how often rq-scheduler looks whether something is due
_WATCH_S = 15
_LATE_S = 60


def make(connection: Redis, look_s: int = _LOOK_S) -> Scheduler:
    """The stock scheduler, told to use JSON jobs."""
    return Scheduler(queue_name=queues.CLOCK, connection=connection, interval=look_s, job_class=queues.JsonJob)


def ensure_tick(scheduler: Scheduler, every_s: int = TICK_S) -> bool:
    """Put the tick back where it is missing, broken or out of time; whether it was.

    A sound one is left alone: registering it again would reset its time (stack notes, §1). Anything else in the
    scheduler's set is taken out: one job that cannot be read would hold up all that come after it (R5).
    """
    _drop_strangers(scheduler)
    if _is_sound(scheduler, every_s):
        return False
    scheduler.connection.delete(queues.JsonJob.key_for(TICK_ID))
    job = scheduler.schedule(
        # rq-scheduler reads naive times as UTC.
        scheduled_time=datetime.now(UTC).replace(tzinfo=None),
        func=_TASK,
        interval=every_s,
        id=TICK_ID,
        result_ttl=-1,  # a finite one would let the job, and with it the schedule, expire (R6)
        timeout=60,
        queue_name=queues.CLOCK,
        description="tick",
    )
    job.failure_ttl = queues.FAILURE_TTL_S
    job.save()
    return True


def _is_sound(scheduler: Scheduler, every_s: int) -> bool:
    due = cast("float | None", scheduler.connection.zscore(scheduler.scheduled_jobs_key, TICK_ID))
    if due is None or due > time.time() + every_s + _LATE_S:  # the clock was set back: it would be silent till then
        return False
    try:
        job = queues.JsonJob.fetch(TICK_ID, connection=scheduler.connection)
        return job.func_name == _TASK and job.meta.get("interval") == every_s
    except (NoSuchJobError, DeserializationError, ValueError, AttributeError):
        return False


def _drop_strangers(scheduler: Scheduler) -> None:
    known = cast("list[bytes]", scheduler.connection.zrange(scheduler.scheduled_jobs_key, 0, -1))
    strangers = [member for member in known if member != TICK_ID.encode()]
    if strangers:
        scheduler.connection.zrem(scheduler.scheduled_jobs_key, *strangers)
        log.warning("jobs that are not ours were taken off the clock", extra={"count": len(strangers)})


def run(connection: Redis, every_s: int = TICK_S, look_s: int = _LOOK_S, watch_s: float = _WATCH_S) -> None:
    """Tick until told to stop. Raises RunsheetError when Redis goes away; whoever supervises starts it again."""
    lifeline.hold()
    try:
        scheduler = make(connection, look_s)
        ensure_tick(scheduler, every_s)
        watch = (make(connection), every_s, watch_s, threading.Event())
        threading.Thread(target=watch_over, args=watch, name="watchdog", daemon=True).start()
        log.info("scheduler ready", extra={"pid": os.getpid()})
        scheduler.run()
    except RedisError as error:
        raise RunsheetError(f"Redis went away ({type(error).__name__}); the scheduler must be started again.") from None


def watch_over(scheduler: Scheduler, every_s: int, watch_s: float, stopped: threading.Event) -> None:
    """The watchdog: the stock loop does not notice that its job is gone."""
    while not stopped.wait(watch_s):
        try:
            if ensure_tick(scheduler, every_s):
                log.warning("the tick was missing and was put back")
        except RedisError:
            continue  # the main loop notices as well, and ends this process
