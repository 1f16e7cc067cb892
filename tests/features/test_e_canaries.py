"""P25, X27: whatever happens, no patient, password, code, token or key in what our processes say, in Redis, in URLs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import unescape
from typing import Any
from urllib.parse import unquote_plus, urlsplit

import pytest
from sqlalchemy import select

from app.security.roles import Role
from app.security.vault import APP_WIDE, Place
from app.store import practices
from app.store.models import PmsAppToken, SyncRun
from app.store.models.sync import RunState
from app.store.practices import NewUser
from tests.cli.stranger import Desk, free_port
from tests.features.test_e_clock import HASTE
from tests.jobs.canaries import COMMENT, PERSON, PLANTED, everything_in
from tests.jobs.living import Practice
from tests.jobs.processes import Running, eventually
from tests.sandbox.process import CLIENT_SECRET, RunningSandbox

OWNER, PASSWORD, WRONG = "owner.canary@example.com", "seven quiet canaries at dusk", "six loud canaries at dawn"
STRANGER = "stranger.canary@example.com"
USED_UP = "CANARY01"
LINK = re.compile(r'(?:href|action|hx-get|hx-post|src)="([^"]+)"')


@pytest.fixture
def practice(living: Callable[..., Practice], small_clinic: RunningSandbox) -> Practice:
    made = living(small_clinic, LOG_LEVEL="debug", LOG_FORMAT="json")
    made.only_when_pressed()
    made.books(3, patient=PERSON, comment=COMMENT)
    with made.store.write() as session:
        new = NewUser(OWNER, "Quillon Canary", Role.OWNER, PASSWORD)
        practices.add_user(session, practices.get(session, made.id), new)
    return made


@contextmanager
def everybody(practice: Practice, port: int) -> Iterator[list[Running]]:
    """Web, worker and scheduler; they have ended when this has."""
    with (
        practice.process("web", "--workers", "1", PORT=str(port)) as web,
        practice.process("worker") as worker,
        practice.process("scheduler", *HASTE) as scheduler,
    ):
        everybody = [web, worker, scheduler]
        for process in (worker, scheduler):
            process.wait_for_line("ready")
        with Desk(f"http://127.0.0.1:{port}") as desk:
            eventually(desk.answers, "the pages are there", 30)
        yield list(everybody)
        assert [process.end() for process in everybody] == [0, 0, 0]


def synced(practice: Practice, **more: Any) -> tuple[str, str | None]:
    run_id = practice.presses(full=True, **more)
    eventually(lambda: practice.run(run_id).completed_at, "the sync has ended", 30)
    run = practice.run(run_id)
    return run.state, run.reason


def goes_well_and_badly(practice: Practice, sandbox: RunningSandbox) -> None:
    """A good sync, one with a record that cannot be read, one the vendor answers with a page, one it refuses."""
    assert synced(practice) == (RunState.SUCCESS, None)
    sandbox.break_("poison", record="bad_start")
    assert synced(practice) == (RunState.PARTIAL, "quarantined")
    sandbox.mend()
    sandbox.break_("html", path="/tenants/*/appointments")
    assert synced(practice) == (RunState.FAILED, "bad_envelope")
    sandbox.mend()
    practice.forgets_its_token()
    sandbox.break_("refuse_credentials")
    assert synced(practice) == (RunState.FAILED, "auth_failed")
    sandbox.mend()


def looks_around(port: int) -> set[str]:
    """Sign in, badly and well, look for the patient, read every page there is. Every address that was seen."""
    seen: set[str] = set()
    with Desk(f"http://127.0.0.1:{port}") as desk:
        for email, password in ((STRANGER, WRONG), (OWNER, WRONG)):
            assert desk.tries(email, password).status_code == 422
        pages = [desk.sign_in(OWNER, PASSWORD)]
        assert PLANTED[1] in pages[0]  # the canary is on the page, where it belongs
        pages.append(desk.submits(pages[0], "/find", q=PLANTED[1]))
        todo, done = ["/connections", "/history"], {"/logout"}
        while pages or todo:
            found = set().union(*(map(unescape, LINK.findall(page)) for page in pages))
            seen |= found
            todo += [one for one in sorted(found) if one.startswith("/") and not one.startswith("/static")]
            pages = []
            while todo and not pages:
                path = todo.pop(0)
                shape = re.sub(r"[0-9a-f-]{36}|\d{4}-\d\d-\d\d", "*", urlsplit(path).path)
                if shape not in done:
                    done.add(shape)
                    answer = desk.get(path)
                    seen.add(answer.url)
                    pages.append(answer.text)
    assert len(done) > 12
    # What opens a telephone or a mail program, for whoever looks at the patient's details, goes to no server.
    return {address for address in seen if not address.startswith(("tel:", "mailto:"))}


@pytest.mark.slow
@pytest.mark.promise("P25")
@pytest.mark.security("X20")
@pytest.mark.security("X25")
@pytest.mark.security("X27")
@pytest.mark.security("X28")
def test_no_canary_is_found_in_what_we_say_in_redis_or_in_an_address(
    practice: Practice, small_clinic: RunningSandbox
) -> None:
    port, other = free_port(), small_clinic.state(log=0)["tenants"][1]["tenantId"]
    code = small_clinic.pairing_code(other)
    with everybody(practice, port) as processes:
        goes_well_and_badly(practice, small_clinic)
        addresses = looks_around(port)
        add = ("connections", "add", "gentu", "--practice", str(practice.id), "--pairing-code")
        for words in ((*add, USED_UP), (*add, code), (*add, code), ("doctor",), ("sync", str(practice.connection_id))):
            with practice.process(*words) as command:
                command.popen.wait(30)
            processes.append(command)
    held = everything_in(practice.redis).decode(errors="replace")
    asked = {one["path"] + "?" + one["query"] for one in small_clinic.state(log=2000)["log"]}
    said = "\n".join(process.said for process in processes)

    with practice.store.read() as session:
        (row,) = session.scalars(select(PmsAppToken))
        runs = {str(id_) for id_ in session.scalars(select(SyncRun.id))}
    place = Place(APP_WIDE, "pms_app_tokens", "access_token", str(row.id))
    token = practice.parts.vault.open(row.access_token, place)
    keys = [practice.environ[name] for name in ("SECRET_KEY", "ENCRYPTION_KEY")]
    people = [*PLANTED, "491570156", OWNER, STRANGER, PASSWORD, WRONG, "Quillon"]
    secrets = [CLIENT_SECRET, token, USED_UP, code, *keys]
    for canary in [*people, *secrets]:
        assert canary not in said
        assert canary not in held
        assert [one for one in addresses if canary in unquote_plus(one)] == []
    for canary in [*people, CLIENT_SECRET, token, *keys]:  # a code does travel to the vendor in its address
        assert [one for one in asked if canary in unquote_plus(one)] == []

    lines = [json.loads(line) for line in processes[1].lines if line.startswith("{")]
    fetched = [line for line in lines if line["message"] == "asked the PMS" and line["route"].endswith("/appointments")]
    assert len(fetched) > 4
    assert {line["run_id"] for line in fetched} <= runs  # also those that fetchers wrote
    assert {line["level"] for line in lines if line["message"] == "asked the PMS"} == {"debug"}
    assert {line["reason"] for line in lines if "reason" in line} >= {"quarantined", "bad_envelope", "auth_failed"}
