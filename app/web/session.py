"""Who is signed in with this request, found with one statement; signing in and out; what counts as a poll."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from flask import g, request
from flask import session as cookie
from sqlalchemy.exc import SQLAlchemyError

from app import clock
from app.domain.window import day_of, zone_of
from app.security.roles import Permission, Role, allows, may_change_row
from app.store import sessions
from app.store.runsheet import Stamp
from app.store.sessions import Found
from app.wiring import store

log = logging.getLogger(__name__)

#: Under which the signed cookie holds the session's id.
SESSION_ID = "sid"


@dataclass(frozen=True, slots=True)
class Visitor:
    """The person, in the practice they work in now, as of this request."""

    user_id: UUID
    name: str
    email: str
    role: Role
    clinician_id: UUID | None
    practice_id: UUID
    practice_name: str
    zone: ZoneInfo
    region: str
    practices: int
    simulated: bool
    stamp: Stamp | None  # of the day in the address, where there is one

    def may(self, permission: Permission) -> bool:
        return allows(self.role, permission)

    def may_change(self, permission: Permission, clinician_id: UUID | None) -> bool:
        """Whether they may use a write permission on a row of that clinician."""
        own = clinician_id is not None and clinician_id == self.clinician_id
        return self.may(permission) and may_change_row(self.role, own)

    def today(self, now: datetime) -> date:
        return day_of(now, self.zone)


def is_poll() -> bool:
    """A page asking by itself whether anything changed. It never keeps a sign-in alive."""
    return request.method == "GET" and "seen" in request.args


def load() -> Visitor | None:
    """Who it is, or None when nobody is signed in any more. The only place that reads a session."""
    token = cookie.get(SESSION_ID)
    if not isinstance(token, str):
        return None
    day = (request.view_args or {}).get("day")
    with store().read() as session:
        found = sessions.find(session, token, day if isinstance(day, date) else None)
    now = clock.now()
    if found is None or not found.valid(now):
        return None
    if found.due_a_touch(now) and not is_poll():
        _touch(found, now)
    g.visitor = Visitor(
        user_id=found.user_id,
        name=found.user_name,
        email=found.email,
        role=found.role,
        clinician_id=found.clinician_id,
        practice_id=found.practice_id,
        practice_name=found.practice_name,
        zone=zone_of(found.timezone),
        region=found.region,
        practices=found.practices,
        simulated=found.simulated,
        stamp=found.stamp,
    )
    return current()


def current() -> Visitor:
    """The signed-in person. Only for views that declare a permission: `web.security` has let nobody else through."""
    visitor: Visitor = g.visitor
    return visitor


def current_or_none() -> Visitor | None:
    """For what is drawn on every page, such as the bar and the error pages."""
    visitor: Visitor | None = g.get("visitor")
    return visitor


def sign_in(user_id: UUID, practice_id: UUID) -> None:
    """A session with a new id, and with it a new cookie and a new form token: nothing from before survives."""
    old, now = cookie.get(SESSION_ID), clock.now()
    with store().write() as session:
        if isinstance(old, str):
            sessions.end(session, old, now)
        token = sessions.start(session, user_id, practice_id, now)
    cookie.clear()
    cookie[SESSION_ID] = token


def sign_out() -> None:
    token = cookie.get(SESSION_ID)
    if isinstance(token, str):
        with store().write() as session:
            sessions.end(session, token, clock.now())
    cookie.clear()
    g.pop("visitor", None)


def _touch(found: Found, now: datetime) -> None:
    """Reading must go on where the database takes no writes for the moment."""
    try:
        with store().write() as session:
            sessions.touch(session, found.id, now)
    except SQLAlchemyError:
        log.warning("session not touched")
