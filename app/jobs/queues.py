"""The queues, and what a job is: an id of a run, as JSON. Nothing about a patient ever lies in Redis (X25)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from redis import Redis
from rq import Queue, Worker
from rq.exceptions import DuplicateJobError, NoSuchJobError
from rq.executions import ExecutionRegistry
from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer

from app import clock
from app.domain.turns import Lane

CLOCK, INTERACTIVE, SYNC, ENRICH, MAINTENANCE = "clock", "interactive", "sync", "enrich", "maintenance"
#: A second run of a practice that has one running, or in `sync`, already: only once nobody's first one waits.
SPARE = "spare"
#: In the order a worker empties them: the tick is cheap and everything depends on it, then whoever is waiting.
ALL = (CLOCK, INTERACTIVE, SYNC, SPARE, ENRICH, MAINTENANCE)
#: Where the runs of each lane wait.
OF_LANE = {Lane.PEOPLE: INTERACTIVE, Lane.FIRST: SYNC, Lane.SECOND: SPARE}
#: The clock's one job.
TICK_ID = "dispatch-tick"

RESULT_TTL_S = 3600
FAILURE_TTL_S = 7 * 86400
#: Beyond the run's own limit, for the last page and the closing.
GRACE_S = 120
#: A worker takes a job out of its list before it says that it started it. Longer than this, and it died in between.
LOST_AFTER = timedelta(seconds=5)
#: A started job gives a sign of life every few seconds. After this long without one, while its run still waits to be
#: claimed, nobody is behind it any more.
SILENT_AFTER = timedelta(seconds=30)


class JsonJob(Job):
    """A job that is JSON whoever makes it: rq-scheduler has no serializer option and would pickle."""

    def __init__(self, id: str | None = None, connection: Redis | None = None, serializer: Any = None) -> None:  # noqa: A002, ARG002
        super().__init__(id, connection, JSONSerializer)


def queue(name: str, connection: Redis) -> Queue:
    return Queue(name, connection=connection, job_class=JsonJob, serializer=JSONSerializer)


def job_id(run_id: UUID) -> str:
    return f"run-{run_id}"


def enqueue_run(connection: Redis, run_id: UUID, *, lane: Lane, timeout_s: int) -> bool:
    """Nudge a worker to look at a queued run; call it after the commit. False when a live job for it is there already.

    A job of the same run that ended (it came too early and found another run going), that nobody is behind any more,
    or that waits in a queue which is served later than its lane's, is replaced.
    """
    target = queue(OF_LANE[lane], connection)
    id_ = job_id(run_id)
    try:
        left = JsonJob.fetch(id_, connection=connection)
    except NoSuchJobError:
        pass
    else:
        later = [name for one, name in OF_LANE.items() if one > lane]
        if _is_live(left, clock.now()) and not (left.origin in later and _waits_in(left, left.origin)):
            return False
        _forget(left)
    try:
        target.enqueue_call(
            "app.jobs.tasks.run_sync",
            args=(str(run_id),),
            job_id=id_,
            timeout=timeout_s + GRACE_S,
            result_ttl=RESULT_TTL_S,
            failure_ttl=FAILURE_TTL_S,
            description="sync",
            unique=True,  # two dispatchers at the same moment make one job
        )
    except DuplicateJobError:
        return False
    return True


def enqueue_telling(connection: Redis, connection_id: UUID, *, timeout_s: int) -> bool:
    """Nudge a worker to tell what a connection has to tell. False when such a job waits or runs already."""
    id_ = f"tell-{connection_id}"
    try:
        left = JsonJob.fetch(id_, connection=connection)
    except NoSuchJobError:
        pass
    else:
        if _is_live(left, clock.now()):
            return False
        _forget(left)
    try:
        queue(INTERACTIVE, connection).enqueue_call(
            "app.jobs.tasks.tell_pms",
            args=(str(connection_id),),
            job_id=id_,
            timeout=timeout_s + GRACE_S,
            result_ttl=0,
            failure_ttl=FAILURE_TTL_S,
            description="tell",
            unique=True,
        )
    except DuplicateJobError:
        return False
    return True


def workers(connection: Redis) -> int:
    """How many workers have given a sign of life within the last minute or so."""
    return len(Worker.all(connection=connection, job_class=JsonJob, serializer=JSONSerializer))


def drop_waiting_ticks(connection: Redis) -> None:
    """One tick does the work of all that pile up while nobody serves the queue (R7)."""
    connection.lrem(queue(CLOCK, connection).key, 0, TICK_ID)


def _is_live(job: Job, now: datetime) -> bool:
    status = job.get_status(refresh=False)
    if status == JobStatus.STARTED:
        return job.last_heartbeat is not None and now - job.last_heartbeat < SILENT_AFTER
    if status != JobStatus.QUEUED:
        return False
    just_now = job.enqueued_at is not None and now - job.enqueued_at < LOST_AFTER
    return just_now or _waits_in(job, job.origin)


def _waits_in(job: Job, name: str) -> bool:
    """Whether the job's id lies in that queue's list: its status alone does not prove it."""
    return job.origin == name and queue(name, job.connection).get_job_position(job.id) is not None


def _forget(job: Job) -> None:
    """Take a job out of Redis. Its executions first: RQ stumbles over one whose own key has expired already."""
    registry = ExecutionRegistry(job.id, job.connection)
    left = registry.get_execution_ids()
    if left:
        job.connection.zrem(job.started_job_registry.key, *(f"{job.id}:{execution}" for execution in left))
    job.connection.delete(registry.key)
    job.delete()
