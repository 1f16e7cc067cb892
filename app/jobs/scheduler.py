"""rq-scheduler as a clock and nothing else: one job, one fixed id, every 30 s. What is due lives in the database.

Its known faults (faults §4.1) lose their sting that way: an extra, late or doubled tick is one cheap query, and a
tick lost for ever is put back by the watchdog.
"""

from __future__ import annotations

import logging
import threading
from datetime import UTC, datetime

from redis import Redis, RedisError
from rq_scheduler import Scheduler

from app.jobs import lifeline, queues

log = logging.getLogger(__name__)

TICK_ID = "dispatch-tick"
TICK_S = 30
_LOOK_S = 5  # how often rq-scheduler looks whether something is due
_WATCH_S = 15


def make(connection: Redis) -> Scheduler:
    """The stock scheduler, told to use JSON jobs."""
    return Scheduler(queue_name=queues.CLOCK, connection=connection, interval=_LOOK_S, job_class=queues.JsonJob)


def ensure_tick(scheduler: Scheduler, every_s: int = TICK_S) -> bool:
    """Put the tick back where it is missing; whether it was. One that is there is left alone: registering it again
    would reset its time (stack notes, §1)."""
    if TICK_ID in scheduler and queues.JsonJob.exists(TICK_ID, connection=scheduler.connection):
        return False
    scheduler.schedule(
        # rq-scheduler reads naive times as UTC.
        scheduled_time=datetime.now(UTC).replace(tzinfo=None),
        func="app.jobs.tasks.tick",
        interval=every_s,
        id=TICK_ID,
        result_ttl=-1,  # a finite one would let the job, and with it the schedule, expire (R6)
        timeout=60,
        queue_name=queues.CLOCK,
        description="tick",
    )
    return True


def run(connection: Redis, every_s: int = TICK_S) -> None:
    """Tick until told to stop. Ends when Redis goes away; the supervisor starts it again."""
    lifeline.hold()
    scheduler = make(connection)
    ensure_tick(scheduler, every_s)
    watchdog = threading.Thread(target=_watch, args=(connection, every_s), name="watchdog", daemon=True)
    watchdog.start()
    log.info("scheduler ready", extra={"process": "scheduler"})
    scheduler.run()


def _watch(connection: Redis, every_s: int) -> None:
    pause = threading.Event()
    scheduler = make(connection)
    while not pause.wait(_WATCH_S):
        try:
            if ensure_tick(scheduler, every_s):
                log.warning("the tick was missing and was put back")
        except RedisError:
            continue  # the main loop notices as well, and ends this process
