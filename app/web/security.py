"""Deny by default, tokens and origins on every write, and the headers of every answer.

A view says who may call it with exactly one decorator, directly below its route: `@public`, `@signed_in(permission)`
or `@machine` (authenticated by something else than the cookie). A view that says nothing is answered 403, and a test
that walks the url map fails.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

from flask import Flask, Response, abort, current_app, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFProtect
from htmx_flask import request as htmx_request
from werkzeug.middleware.proxy_fix import ProxyFix

from app import clock
from app.config import Settings
from app.security.roles import Permission
from app.web import session
from app.web.htmx import wants_fragment

View = TypeVar("View", bound=Callable[..., Any])

UNSAFE = frozenset({"POST", "PUT", "PATCH", "DELETE"})
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "object-src 'none'",
        "frame-ancestors 'none'",
    )
)
_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=(), browsing-topics=()",
    "X-Frame-Options": "DENY",
}
_HSTS = "max-age=31536000; includeSubDomains"
_KEPT = "public, max-age=31536000, immutable"

csrf = CSRFProtect()


@dataclass(frozen=True, slots=True)
class Access:
    """Who may call a view. No permission and not a machine: everybody."""

    permission: Permission | None = None
    machine: bool = False


def public(view: View) -> View:
    """Anybody may call it."""
    return _declare(view, Access())


def signed_in(permission: Permission) -> Callable[[View], View]:
    """Only somebody signed in whose role holds that permission."""
    return lambda view: _declare(view, Access(permission))


def machine(view: View) -> View:
    """Called by a program that brings its own proof: no cookie is read, so neither form token nor origin apply."""
    csrf.exempt(view)
    return _declare(view, Access(machine=True))


def access_of(view: Callable[..., Any]) -> Access | None:
    declared: Access | None = getattr(view, "runsheet_access", None)
    return declared


def init(app: Flask, settings: Settings) -> None:
    if settings.trusted_proxies:
        hops = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops)  # type: ignore[method-assign]
    _declare(app.view_functions["static"], Access())
    app.before_request(_same_origin)
    csrf.init_app(app)
    app.before_request(_guard)
    production = settings.production

    @app.after_request
    def _seal(response: Response) -> Response:
        return seal(response, production=production)


def same_origin(host: str, origin: str | None, fetch_site: str | None) -> bool:
    """Whether a write may come from our own pages.

    Our pages send no referrer, and browsers then call the origin of a plain form "null": Sec-Fetch-Site decides there.
    """
    if fetch_site is not None and fetch_site not in ("same-origin", "none"):
        return False
    if origin == "null":
        return fetch_site is not None
    return origin is None or urlsplit(origin).netloc == host


def ask_to_sign_in(back: str | None = None) -> ResponseReturnValue:
    """To the sign-in page and from there back again. A fragment is never answered with a form inside a table."""
    address = url_for("login.form", next=local_path(back) or None)
    if wants_fragment():
        return Response(status=401, headers={"HX-Redirect": address})
    return redirect(address, code=303)


def local_path(address: str | None) -> str:
    """The path and query of an address of ours; "" for anything that could lead somewhere else."""
    if not address or "\\" in address or any(ord(letter) <= 0x20 for letter in address):
        return ""
    parts = urlsplit(address)
    if parts.netloc and parts.netloc != request.host:
        return ""
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    return path if path.startswith("/") and not path.startswith("//") else ""


def fixed_headers(*, production: bool) -> tuple[tuple[str, str], ...]:
    """What goes along with every answer, whatever it is."""
    return (*_HEADERS.items(), ("Strict-Transport-Security", _HSTS)) if production else tuple(_HEADERS.items())


def epoch_now() -> str:
    """The server's clock, so that a wrong one in the browser bends no time on the page."""
    return f"{clock.now().timestamp():.0f}"


def seal(response: Response, *, production: bool) -> Response:
    response.headers.extend(fixed_headers(production=production))
    if request.endpoint == "static":
        kept = response.status_code == 200 and "v" in request.args
        response.headers["Cache-Control"] = _KEPT if kept else "no-cache"
        return response
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Now"] = epoch_now()
    response.vary.add("HX-Request")
    return response


def _declare(view: View, access: Access) -> View:
    if access_of(view) is not None:
        raise RuntimeError(f"{view} declares its access twice")
    setattr(view, "runsheet_access", access)  # noqa: B010 - a function's own attribute, unknown to its type
    return view


def _declared() -> Access | None:
    return access_of(current_app.view_functions[request.endpoint]) if request.endpoint else None


def _same_origin() -> None:
    declared = _declared()
    if request.method not in UNSAFE or (declared is not None and declared.machine):
        return
    if not same_origin(request.host, request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site")):
        abort(403)


def _guard() -> ResponseReturnValue | None:
    if request.endpoint is None:
        return None  # no such page, or not with that method: the error pages say so
    access = _declared()
    if access is None:
        abort(403)
    if access.permission is None:
        return None
    visitor = session.load()
    if visitor is None:
        back = htmx_request.htmx.current_url if htmx_request.htmx else None
        return ask_to_sign_in(back or (request.full_path.rstrip("?") if request.method == "GET" else None))
    if not visitor.may(access.permission):
        abort(403)
    return None
