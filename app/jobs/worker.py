"""A worker: one process with the application loaded, which forks a work horse for each job.

The application is imported before the fork (13 times faster per job), database connections are opened after it. A
horse that dies is noticed at once and its run taken up again; one whose worker died is fenced off by the database.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
from typing import Any

from rq import Queue, Worker
from rq.job import Job

from app import clock
from app.jobs import dispatch, lifeline, queues, stopping
from app.jobs.house import House, move_in
from app.store import sync_runs

log = logging.getLogger(__name__)

_WORKER_TTL_S = 60
_MONITOR_S = 5
_MAINTENANCE_S = 60


class SyncWorker(Worker):
    """RQ's worker with our manners at fork, at shutdown and at a horse's death."""

    def __init__(self, house: House, **more: Any) -> None:
        self.house = house
        super().__init__(
            [queues.queue(name, house.redis) for name in queues.ALL],
            connection=house.redis,
            name=f"{socket.gethostname()}-{os.getpid()}",
            job_class=queues.JsonJob,
            serializer="rq.serializers.JSONSerializer",
            worker_ttl=_WORKER_TTL_S,
            job_monitoring_interval=_MONITOR_S,
            maintenance_interval=_MAINTENANCE_S,
            log_job_description=False,
            work_horse_killed_handler=self._horse_killed,
            **more,
        )

    def get_heartbeat_ttl(self, job: Job) -> int:  # noqa: ARG002
        """Notice a dead worker's job within seconds instead of minutes (stack notes, §1)."""
        return 3 * _MONITOR_S

    def main_work_horse(self, job: Job, queue: Queue) -> None:
        """In the horse, right after the fork: own database connections, own lifeline, own signal for the end."""
        self.house.store.forget_connections()
        lifeline.hold(lifeline.end_now)
        stopping.listen()
        super().main_work_horse(job, queue)

    def handle_warm_shutdown_request(self) -> None:
        """We were asked to stop: let the horse put its run back at the next page instead of finishing it."""
        if self.horse_pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.horse_pid, stopping.SIGNAL)

    def _horse_killed(self, _job: Job, pid: int, _status: int, _usage: Any) -> None:
        """The horse is gone for certain: its run need not wait for the lease to run out."""
        now = clock.now()
        with self.house.store.write() as session:
            for run in sync_runs.held_by(session, self.house.engine.host, pid):
                sync_runs.abandon(session, run, now)
                log.warning("work horse died", extra={"run_id": str(run.id), "pid": pid})
        dispatch.nudge_waiting(self.house.store, self.house.redis, timeout_s=self.house.timeout_s)


def work(house: House, *, burst: bool = False) -> None:
    """Serve the queues until told to stop (or, with `burst`, until they are empty)."""
    move_in(house)
    lifeline.hold()
    house.store.forget_connections()
    worker = SyncWorker(house)
    log.info("worker ready", extra={"worker": worker.name, "pid": os.getpid()})
    # A group-wide Ctrl-C also reaches the horse's parent: the supervisor alone decides when workers stop.
    if os.environ.get(lifeline.ENV) == "1":
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    worker.work(burst=burst, logging_level="WARNING", with_scheduler=False)
