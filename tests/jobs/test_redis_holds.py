"""What lies in Redis: ids and counts, nothing of a patient (X25)."""

from __future__ import annotations

import base64
import binascii
import contextlib
import json
import zlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from rq.job import JobStatus

from app import clock
from app.jobs import queues
from app.jobs.queues import JsonJob
from app.sync.engine import Engine
from tests.jobs.living import Practice
from tests.sandbox.process import RunningSandbox


@pytest.fixture
def practice(living: Callable[..., Practice], small_clinic: RunningSandbox) -> Practice:
    made = living(small_clinic)
    made.only_when_pressed()
    return made


PLANTED = ("Zephyrine", "Quillfeather", "zephyrine.q@example.com", "0491 570 156", "1971-03-09", "knee, left")


def everything_in(redis: Any) -> bytes:
    """All keys with all they hold, as it lies there and unpacked."""
    held: list[bytes] = []
    for key in redis.scan_iter("*"):
        kind = redis.type(key).decode()
        read = {
            "string": lambda k: [redis.get(k)],
            "hash": lambda k: [part for pair in redis.hgetall(k).items() for part in pair],
            "list": lambda k: redis.lrange(k, 0, -1),
            "set": redis.smembers,
            "zset": lambda k: redis.zrange(k, 0, -1),
            "stream": lambda k: [part for _, told in redis.xrange(k) for pair in told.items() for part in pair],
        }[kind](key)
        held += [key, *read]
    return b"\n".join([*held, *(_unpacked(value) for value in held)])


def _unpacked(value: bytes) -> bytes:
    """RQ compresses a job's data, and wraps what it tells of an error in base64 as well."""
    for unwrap in (lambda packed: packed, base64.b64decode):
        with contextlib.suppress(zlib.error, binascii.Error):
            return zlib.decompress(unwrap(value))
    return b""


@pytest.mark.security("X25")
def test_nothing_of_a_patient_lies_in_redis_after_good_and_failing_jobs(
    practice: Practice, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    given, family, email, phone, born, comment = PLANTED
    person = {"given": given, "family": family, "email": email, "phone": phone, "born": born}
    practice.books(3, patient=person, comment=comment)
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
    assert not set(PLANTED) & set(capfd.readouterr().err.split())


def test_results_are_counts_and_words(practice: Practice) -> None:
    practice.books(2)
    run_id = practice.presses()
    practice.works()
    result = JsonJob.fetch(f"run-{run_id}", connection=practice.redis).return_value()
    assert result == {"claimed": True, "state": "success", "durationMs": result["durationMs"]}
    assert json.dumps(result)
