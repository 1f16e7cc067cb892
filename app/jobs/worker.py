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
import time
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

from redis import RedisError
from redis.client import Pipeline
from rq import Queue, Worker
from rq.job import Job
from rq.timeouts import JobTimeoutException, UnixSignalDeathPenalty
from sqlalchemy.exc import SQLAlchemyError

from app.errors import RunsheetError
from app.jobs import dispatch, lifeline, memory, queues, stopping
from app.jobs.house import House, move_in
from app.jobs.tasks import JobTimedOut

log = logging.getLogger(__name__)

_WORKER_TTL_S = 60
_MONITOR_S = 5
_MAINTENANCE_S = 60
#: How long a horse gets to put its run back when its worker has to end.
_HORSE_GRACE_S = 10.0


class DeathPenalty(UnixSignalDeathPenalty):
    """RQ's alarm, with an exception for the job that no `except Exception` takes for its own (F59)."""

    def handle_death_penalty(self, signum: int, frame: Any) -> None:
        if self._exception is JobTimeoutException:
            raise JobTimedOut(f"longer than {self._timeout} s")
        super().handle_death_penalty(signum, frame)  # type: ignore[no-untyped-call] # RQ's


class SyncWorker(Worker):
    """RQ's worker with our manners at fork, at shutdown, at a horse's death, and while Redis is away."""

    death_penalty_class = DeathPenalty
    house: House
    #: The kernel's kills for want of memory before the present horse was born.
    _oom_kills = 0

    @classmethod
    def of(cls, house: House) -> SyncWorker:
        worker = cls(
            [queues.queue(name, house.redis) for name in queues.ALL],
            connection=house.redis,
            # Not the process id alone: in a container the next worker has the same one while this name is remembered.
            name=f"{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:8]}",
            job_class=queues.JsonJob,
            serializer="rq.serializers.JSONSerializer",
            worker_ttl=_WORKER_TTL_S,
            job_monitoring_interval=_MONITOR_S,
            maintenance_interval=_MAINTENANCE_S,
            log_job_description=False,
        )
        worker.house = house
        return worker

    def get_heartbeat_ttl(self, job: Job) -> int:  # noqa: ARG002
        """Notice a dead worker's job within seconds instead of minutes (stack notes, §1)."""
        return 3 * _MONITOR_S

    # --- the horse --------------------------------------------------------------------------------------------------

    def main_work_horse(self, job: Job, queue: Queue) -> None:
        """In the horse, right after the fork: own database connections, own lifeline."""
        self.house.store.forget_connections()
        lifeline.hold(lifeline.end_now)
        super().main_work_horse(job, queue)

    def perform_job(self, job: Job, queue: Queue) -> bool:
        """In the horse. Once the job has ended its id is free again: only now can a run that was put back get a job."""
        done = super().perform_job(job, queue)
        self._make_way(job, put_back=stopping.stop_asked())
        return done

    def _make_way(self, job: Job, *, put_back: bool = False) -> None:
        prefix, _, id_ = job.id.partition("run-")
        if not prefix and id_:
            here, run_id = self.house, UUID(id_)
            with _forgiving("the next run was not nudged; the tick will"):
                dispatch.nudge_next(here.store, here.redis, run_id, timeout_s=here.timeout_s, itself=put_back)

    # --- the worker that watches it ---------------------------------------------------------------------------------

    def fork_work_horse(self, job: Job, queue: Queue) -> None:
        self._oom_kills = memory.kills()
        super().fork_work_horse(job, queue)
        if self._stop_requested:  # we were asked to stop while the horse was being born
            self._ask_horse_to_stop()

    def handle_warm_shutdown_request(self) -> None:
        """We were asked to stop: let the horse put its run back at the next page instead of finishing it."""
        self._ask_horse_to_stop()

    def _ask_horse_to_stop(self) -> None:
        if self.horse_pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.horse_pid, stopping.SIGNAL)

    def handle_work_horse_killed(self, job: Job, retpid: int, ret_val: int, rusage: Any) -> None:  # noqa: ARG002
        """The horse is gone for certain: its run need not wait for the lease to run out."""
        killed = os.WIFSIGNALED(ret_val) and os.WTERMSIG(ret_val) == signal.SIGKILL
        with self._own_connections():
            self._take_back(retpid, for_memory=killed and memory.kills() > self._oom_kills)
            self._make_way(job)

    def _take_back(self, pid: int, *, for_memory: bool = False) -> None:
        held_by = self.house.engine.host, pid
        with _forgiving("a dead horse's run waits for its lease"):
            for run_id in dispatch.abandon_held_by(self.house.store, *held_by, for_memory=for_memory):
                why = "memory" if for_memory else "lost"
                log.warning("work horse died", extra={"run_id": str(run_id), "pid": pid, "reason": why})

    def leave_no_horse(self) -> None:
        """On the way out, whatever the reason: a horse without its worker would go on unseen."""
        pid = self.horse_pid
        if not pid:
            return
        self._ask_horse_to_stop()
        deadline = time.monotonic() + _HORSE_GRACE_S
        while time.monotonic() < deadline:
            try:
                if os.waitpid(pid, os.WNOHANG)[0]:
                    break
            except ChildProcessError:  # waited for already: it was killed with us
                break
            time.sleep(0.05)
        else:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        with self._own_connections():
            self._take_back(pid)

    def maintain_heartbeats(self, job: Job) -> None:
        """A Redis that is away must not cost the sync that is running well without it."""
        with _forgiving("no heartbeat for the job"):
            super().maintain_heartbeats(job)

    def set_current_job_working_time(self, current_job_working_time: float, pipeline: Pipeline | None = None) -> None:
        self.current_job_working_time = current_job_working_time
        with _forgiving("working time not told"):
            super().set_current_job_working_time(current_job_working_time, pipeline)

    def run_maintenance_tasks(self) -> None:
        """RQ's own tidying; and what a tick would tend, should there be no clock (ENABLE_SCHEDULER=false)."""
        super().run_maintenance_tasks()  # type: ignore[no-untyped-call] # RQ's
        with self._own_connections(), _forgiving("waiting runs were not tended"):
            dispatch.tend(self.house.store, self.house.redis, timeout_s=self.house.timeout_s)

    @contextlib.contextmanager
    def _own_connections(self) -> Iterator[None]:
        """Database work of the parent: its connections are closed again before the next fork could copy them."""
        try:
            yield
        finally:
            self.house.store.engine.dispose()


@contextlib.contextmanager
def _forgiving(what: str) -> Iterator[None]:
    try:
        yield
    except (RedisError, SQLAlchemyError) as error:
        log.warning(what, extra={"error": type(error).__name__})


def work(house: House, *, burst: bool = False) -> None:
    """Serve the queues until told to stop (or, with `burst`, until they are empty).

    Raises RunsheetError where it ended for another reason; RedisError where Redis is not there at the start.
    """
    move_in(house)
    lifeline.hold()
    stopping.prepare()
    house.store.engine.dispose()
    worker = SyncWorker.of(house)
    log.info("worker ready", extra={"worker": worker.name, "pid": os.getpid()})
    try:
        worker.work(burst=burst, logging_level="WARNING", with_scheduler=False)
    finally:
        worker.leave_no_horse()
    if not burst and worker._shutdown_requested_date is None:
        raise RunsheetError("The worker ended by itself; Redis may be away. Start it again.")
