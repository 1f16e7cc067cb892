"""What lies in Redis: ids and counts, nothing of a patient (X25)."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from rq.job import JobStatus

from app import clock, logs
from app.jobs import queues
from app.jobs.queues import JsonJob
from app.sync.engine import Engine
from tests.jobs.canaries import PERSON, PLANTED, everything_in
from tests.jobs.living import Practice
from tests.sandbox.process import RunningSandbox


@pytest.fixture
def practice(living: Callable[..., Practice], small_clinic: RunningSandbox) -> Practice:
    made = living(small_clinic)
    made.only_when_pressed()
    return made


@pytest.fixture
def our_log(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Log lines as a process of ours writes them: to the file it has for errors, forked or not."""
    monkeypatch.setattr(sys, "stderr", sys.__stderr__)
    root, ours = logging.getLogger(), logging.getLogger("app")
    before = (root.handlers[:], root.level, ours.level)
    logs.set_up("json", "debug")
    yield
    root.handlers[:] = before[0]
    root.setLevel(before[1])
    ours.setLevel(before[2])


@pytest.mark.security("X25")
def test_nothing_of_a_patient_lies_in_redis_after_good_and_failing_jobs(
    practice: Practice, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], our_log: None
) -> None:
    given, family, email, phone, born, comment = PLANTED
    practice.books(3, patient=PERSON, comment=comment)
    practice.presses()
    practice.works()
    (row, *_) = practice.rows()
    assert given in row.patient_name  # the canary did come through

    def fails(*_: object, **__: object) -> None:
        raise ValueError(f"cannot read {given} {family}, {email}, {phone}, {born}: {comment}")

    practice.change(practice.runs()[0].id, completed_at=clock.now() - timedelta(minutes=1))
    monkeypatch.setattr(Engine, "claim", fails)
    failing = practice.presses()
    practice.works()
    job = JsonJob.fetch(f"run-{failing}", connection=practice.redis)
    assert job.get_status() == JobStatus.FAILED
    held = everything_in(practice.redis)
    assert b"JobFailed: ValueError" in held  # what went wrong can still be seen
    for text in PLANTED:
        assert text.encode() not in held
    ttl = practice.redis.ttl(f"rq:results:{job.id}")
    assert 0 < ttl <= queues.FAILURE_TTL_S
    said = capfd.readouterr().err
    assert "job failed" in said
    assert "ValueError" in said
    for text in PLANTED:
        assert text not in said


def test_results_are_counts_and_words(practice: Practice) -> None:
    practice.books(2)
    run_id = practice.presses()
    practice.works()
    result = JsonJob.fetch(f"run-{run_id}", connection=practice.redis).return_value()
    assert result == {"claimed": True, "state": "success", "durationMs": result["durationMs"]}
    assert json.dumps(result)
