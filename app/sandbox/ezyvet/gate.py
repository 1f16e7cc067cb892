"""What stands before every route: the log, the faults, the limits and the token, in that order."""

from __future__ import annotations

from flask import Blueprint, Response, g, request

from app import clock
from app.sandbox.ezyvet import BASE
from app.sandbox.ezyvet.faults import LIST_KINDS, Fault
from app.sandbox.ezyvet.replies import JSON, answer, error
from app.sandbox.ezyvet.state import Entry, current
from app.sandbox.handler import WIRE, Wire

_HTML = "<!doctype html><html><head><title>Sign in</title></head><body><h1>Please sign in</h1></body></html>"
_LONGEST_WAIT_S = 120.0


def install(blueprint: Blueprint) -> None:
    blueprint.before_request(_before)
    blueprint.after_request(_after)


def list_faults() -> list[Fault]:
    """Those of this request's faults that its list must show."""
    return [fault for fault in g.ezyvet_faults if fault.kind in LIST_KINDS]


def may(what: str, resource: str) -> bool:
    """Whether the token holds the scope to read or write it, and nobody has broken that."""
    broken = any(fault.kind == "forbidden" for fault in g.ezyvet_faults)
    return f"{what}-{resource.lower().replace('siteinformation', 'systemsetting')}" in g.ezyvet_scopes and not broken


def _before() -> Response | None:
    made = current()
    path = request.path.removeprefix(BASE)
    g.ezyvet_faults = made.faults.take(path)
    for fault in g.ezyvet_faults:
        if (response := _early(fault)) is not None:
            return response
    if path.endswith("/oauth/access_token"):
        return None
    return _too_many() or _unauthorised()


def _early(fault: Fault) -> Response | None:  # noqa: PLR0911, PLR0912 - one answer a kind
    match fault.kind:
        case "slow":
            clock.sleep(min(_LONGEST_WAIT_S, fault.ms / 1000))
            return None
        case "outage":
            _wire().hang_up = True
            return error("Gone.", 503)
        case "error":
            return error("Something went wrong.", fault.status, "ServerException")
        case "rate_limited":
            response = error(fault.text, 429, "RateLimitException")
            for name, value in (("Retry-After", fault.retry_after), ("x-ratelimit-reset", fault.reset)):
                if value is not None:
                    response.headers[name] = str(value)
            return response
        case "redirect":
            return Response("", 302, {"Location": "https://elsewhere.example/"})
        case "html":
            return Response(_HTML, content_type="text/html; charset=utf-8")
        case "envelope":
            return answer({})
        case "empty_body":
            return Response(b"", content_type=JSON)
        case "garbage":
            return Response(b'{"meta": {"items_page": 1, ', content_type=JSON)
        case "refuse_credentials":
            return error("The client credentials are not valid.", 401, "AuthenticationException")
        case _:
            return None


def _too_many() -> Response | None:
    made = current()
    rule = str(request.url_rule or "").replace("<resource>", (request.view_args or {}).get("resource", ""))
    left, wait = made.limiter.ask(rule, made.knobs.per_endpoint, made.knobs.overall)
    g.ezyvet_limit = (left, wait)
    if not wait:
        return None
    text = f"You have exceeded the number of requests allowed. Please wait {wait} seconds before trying again."
    response = error(text, 429, "RateLimitException")
    if made.knobs.retry_after:
        response.headers["Retry-After"] = str(wait)
    return response


def _unauthorised() -> Response | None:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    scopes = current().tokens.scopes(token) if scheme == "Bearer" else None
    if scopes is None or any(fault.kind == "unauthorised" for fault in g.ezyvet_faults):
        return error("The access token is invalid or has expired.", 401, "AuthenticationException")
    g.ezyvet_scopes = scopes
    return None


def _after(response: Response) -> Response:
    made = current()
    for fault in g.get("ezyvet_faults", ()):
        if fault.kind == "truncated":  # cut JSON in a complete answer
            response.set_data(response.get_data()[: max(1, len(response.get_data()) // 2)])
        elif fault.kind == "cut_body":  # a body shorter than its header says
            _wire().cut_at = 0.5
    if "ezyvet_limit" in g:
        left, wait = g.ezyvet_limit
        reset = wait or 60
        at = int(clock.now().timestamp()) + reset
        response.headers.setdefault("x-ratelimit-remaining", str(left))
        response.headers.setdefault("x-ratelimit-reset", str(at if made.knobs.reset_is_instant else reset))
    status = 0 if _wire().hang_up else response.status_code
    query = request.query_string.decode("latin-1")
    made.log.append(Entry(request.method, request.path.removeprefix(BASE), query, status))
    return response


def _wire() -> Wire:
    """The connection below this request; a throwaway one where a test client has no connection."""
    found = request.environ.get(WIRE)
    return found if isinstance(found, Wire) else Wire()
