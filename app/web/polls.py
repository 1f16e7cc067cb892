"""The poll of a page that is looked at, answered before Flask where nothing has changed: most requests are this one.

It can say one thing only, "nothing new" (204), and reads one row for it. Whatever it is not sure of (another query, a
session that may have ended, a stamp that moved, a database that does not answer) goes the long way and is decided
there. It writes nothing, so that watching a page never keeps a sign-in alive.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast

from flask import Flask
from flask.sessions import SecureCookieSessionInterface
from itsdangerous import BadData
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.http import parse_cookie

from app import clock
from app.domain.window import parse_day
from app.errors import InvalidInput
from app.security.roles import Permission, allows
from app.store import sessions
from app.web import security
from app.web.session import SESSION_ID
from app.wiring import settings_of, store_of

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

#: Exactly what the sheet asks by itself (`templates/runsheet/day.html`).
_PATH = re.compile(r"/run-sheet/(\d{4}-\d\d-\d\d)")
_QUERY = re.compile(r"(?:(?:clinician|status|type)=[^&;]*&)*seen=(\d+\.\d+)")
_WHOLE_PAGE = ("HTTP_HX_BOOSTED", "HTTP_HX_HISTORY_RESTORE_REQUEST")


def init(app: Flask) -> None:
    app.wsgi_app = QuietPolls(app, app.wsgi_app)  # type: ignore[method-assign]


class QuietPolls:
    """Around the application: answers a poll of a sheet that stands as it was seen, and hands on everything else."""

    def __init__(self, app: Flask, inner: WSGIApplication) -> None:
        self._inner = inner
        self._store = store_of(app)
        self._cookie = str(app.config["SESSION_COOKIE_NAME"])
        self._lifetime_s = int(app.permanent_session_lifetime.total_seconds())
        # The one the sign-in page signs with; making it anew for each poll would cost more than using it.
        self._signer: Any = cast(SecureCookieSessionInterface, app.session_interface).get_signing_serializer(app)
        self._headers = [
            ("Content-Type", "text/html; charset=utf-8"),
            *security.fixed_headers(production=settings_of(app).production),
            ("Cache-Control", "no-store"),
            ("Vary", "HX-Request, Cookie"),
        ]

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if self._nothing_new(environ):
            start_response("204 NO CONTENT", [*self._headers, ("X-Now", security.epoch_now())])
            return ()
        return self._inner(environ, start_response)

    def _nothing_new(self, environ: WSGIEnvironment) -> bool:
        if environ.get("HTTP_HX_REQUEST") != "true" or environ["REQUEST_METHOD"] != "GET":
            return False
        path, query = _PATH.fullmatch(environ["PATH_INFO"]), _QUERY.fullmatch(environ["QUERY_STRING"])
        if path is None or query is None or any(name in environ for name in _WHOLE_PAGE):
            return False
        token = self._token(environ)
        if not token:
            return False
        now = clock.now()
        try:
            with self._store.glance() as connection:
                found = sessions.stamp_for(connection, token, parse_day(path[1], now.date()), now)
        except (InvalidInput, SQLAlchemyError):
            return False
        return found is not None and allows(found[0], Permission.SHEET_READ) and str(found[1]) == query[1]

    def _token(self, environ: WSGIEnvironment) -> str:
        """The session's id out of the signed cookie; "" where there is none that can be believed."""
        try:
            told = self._signer.loads(parse_cookie(environ).get(self._cookie, ""), max_age=self._lifetime_s)
        except BadData:
            return ""
        token = told.get(SESSION_ID)
        return token if isinstance(token, str) else ""
