"""The queues, and what a job is: an id of a run, as JSON. Nothing about a patient ever lies in Redis (X25)."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from redis import Redis
from rq import Queue
from rq.exceptions import DuplicateJobError, NoSuchJobError
from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer

CLOCK, INTERACTIVE, SYNC, ENRICH, MAINTENANCE = "clock", "interactive", "sync", "enrich", "maintenance"
#: In the order a worker empties them: the tick is cheap and everything depends on it, then whoever is waiting.
ALL = (CLOCK, INTERACTIVE, SYNC, ENRICH, MAINTENANCE)

RESULT_TTL_S = 3600
FAILURE_TTL_S = 7 * 86400
#: Beyond the run's own limit, for the last page and the closing.
GRACE_S = 120


class JsonJob(Job):
    """A job that is JSON whoever makes it: rq-scheduler has no serializer option and would pickle."""

    def __init__(self, id: str | None = None, connection: Redis | None = None, serializer: Any = None) -> None:  # noqa: A002, ARG002
        super().__init__(id, connection, JSONSerializer)


def queue(name: str, connection: Redis) -> Queue:
    return Queue(name, connection=connection, job_class=JsonJob, serializer=JSONSerializer)


def job_id(run_id: UUID) -> str:
    return f"run-{run_id}"


def enqueue_run(connection: Redis, run_id: UUID, *, interactive: bool, timeout_s: int) -> bool:
    """Nudge a worker to look at a queued run; call it after the commit. False when a live job for it is there already.

    An ended job of the same run (it came too early and found another run going) is replaced.
    """
    target = queue(INTERACTIVE if interactive else SYNC, connection)
    id_ = job_id(run_id)
    try:
        left = JsonJob.fetch(id_, connection=connection)
        if left.get_status(refresh=True) in (JobStatus.QUEUED, JobStatus.STARTED, JobStatus.SCHEDULED):
            return False
        left.delete()
    except NoSuchJobError:
        pass
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
