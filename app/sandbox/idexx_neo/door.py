"""Neo's door: a cookie of its own making, and the look of a request that the web application itself would send."""

from __future__ import annotations

import threading

import msgspec
from flask import Response, g, redirect, request

from app.sandbox.idexx_neo import BASE, pages
from app.sandbox.idexx_neo.clinic import KIND, knobs
from app.sandbox.stage.stage import current

COOKIE = "neo_session"
#: Pages for people: without a session they lead to the log-in page.
_FOR_PEOPLE = frozenset({"/dashboard"})

_lock = threading.Lock()
_inside = 0


def refusal(status: int, text: str) -> Response:
    """In the words its writes use (seen in code); what its reads say when they refuse is not public."""
    body = msgspec.json.encode({"success": False, "message": text})
    return Response(body, status, content_type="application/json")


def door() -> Response | None:
    """[assumed] all of it: how a session's end is told is not public, so each way can be chosen."""
    path = request.path.removeprefix(BASE)
    if not request.headers.get("User-Agent", "").startswith("Mozilla/"):
        return pages.html("<h1>This browser is not supported</h1>", 403)
    if not current(KIND).tokens.is_good(request.cookies.get(COOKIE, "")):
        return _to_login() if path in _FOR_PEOPLE else _ended()
    if path in _FOR_PEOPLE or request.headers.get("X-Requested-With") == "XMLHttpRequest":
        return None
    return pages.html("<h1>Neo</h1><p>This page is for people.</p>")


def _to_login() -> Response:
    return Response("", 302, {"Location": f"{BASE}/login"})


def _ended() -> Response:
    match knobs().ended:
        case "json":
            return Response(b'{"error":"Unauthenticated"}', 401, content_type="application/json")
        case "redirect":
            found = redirect(f"{BASE}/login")
            assert isinstance(found, Response)
            return found
        case "forbidden":
            return refusal(403, "Forbidden")
        case "page":
            return pages.login("")


def enter() -> Response | None:
    """Beyond so many at once it says no [assumed]; 35 at once made every one fail (seen in code)."""
    global _inside  # noqa: PLW0603 - one count for the process, as the server has one
    with _lock:
        _inside += 1
        g.neo_inside = True
        busy = _inside > knobs().at_once
    if busy:
        response = refusal(429, "Too many requests at once.")
        response.headers["Retry-After"] = "1"
        return response
    return None


def leave() -> None:
    global _inside  # noqa: PLW0603
    if g.pop("neo_inside", False):
        with _lock:
            _inside -= 1
