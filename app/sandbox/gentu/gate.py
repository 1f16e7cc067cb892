"""What stands before every route: the log, the faults, the rate limit and the token, in the gateway's order."""

from __future__ import annotations

from flask import Blueprint, Response, g, request

from app import clock
from app.sandbox.faults import PAGE_KINDS, Fault
from app.sandbox.gentu import BASE
from app.sandbox.gentu.replies import JSON, answer, gateway_fault, message
from app.sandbox.handler import WIRE, Wire
from app.sandbox.state import current
from app.sandbox.traffic import Entry

_TOKEN_PATH = f"{BASE}/oauth2/token"
_LONGEST_WAIT_S = 120.0
_HTML = "<!doctype html><html><head><title>Sign in</title></head><body><h1>Please sign in</h1></body></html>"


def install(blueprint: Blueprint) -> None:
    blueprint.before_app_request(_before)
    blueprint.after_app_request(_after)


def page_faults() -> list[Fault]:
    """Those of this request's faults that its page of rows must show."""
    return [fault for fault in g.gentu_faults if fault.kind in PAGE_KINDS]


def _before() -> Response | None:
    if not _ours():
        return None
    sandbox = current()
    rule = str(request.url_rule or "(no such route)").removeprefix(BASE)
    g.gentu_route = f"{request.method} {rule.replace('<', '{').replace('>', '}')}"
    g.gentu_arrived = sandbox.traffic.arrived(g.gentu_route)
    query = "&".join(f"{name}={value}" for name, value in request.args.items(multi=True))
    g.gentu_faults = sandbox.faults.take(request.path.removeprefix(BASE), query)
    for fault in g.gentu_faults:
        if (response := _early(fault)) is not None:
            return response
    if request.path == _TOKEN_PATH:
        return None
    return _too_many() or _unauthorised() or _unprovisioned()


def _early(fault: Fault) -> Response | None:  # noqa: PLR0911 - one answer a kind
    match fault.kind:
        case "slow":
            clock.sleep(min(_LONGEST_WAIT_S, fault.ms / 1000))
            return None
        case "outage":
            if fault.mode == "close":
                wire().hang_up = True
            return _with_retry_after(message("Service unavailable.", 503), fault)
        case "error":
            return _with_retry_after(message(fault.message, fault.status), fault)
        case "rate_limited":
            return _with_retry_after(_quota(), fault)
        case "redirect":
            return Response("", 302, {"Location": fault.to})
        case "html":
            return Response(_HTML, content_type="text/html; charset=utf-8")
        case "envelope":
            return answer({})
        case "empty_body":
            return Response(b"", content_type=JSON)
        case "refuse_credentials":
            return _fault(401, "oauth.v2.InvalidClientIdentifier", "Invalid client identifier")
        case _:
            return None


def _too_many() -> Response | None:
    sandbox = current()
    limit = sandbox.knobs.rate_limit_per_minute
    wait_s = sandbox.limiter.wait_s(limit) if limit else 0
    if not wait_s:
        return None
    response = _quota()
    if sandbox.knobs.rate_limit_retry_after:
        response.headers["Retry-After"] = str(wait_s)
    return response


def _unauthorised() -> Response | None:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    state = current().tokens.check(token) if scheme == "Bearer" else "unknown"
    if state == "expired":
        return _fault(401, "keymanagement.service.access_token_expired", "Access Token expired")
    if state == "unknown":
        return _fault(401, "keymanagement.service.invalid_access_token", "Invalid Access Token")
    return None


def _unprovisioned() -> Response | None:
    if any(fault.kind == "unprovisioned" for fault in g.gentu_faults):
        return _fault(500, "entities.UnresolvedVariable", "Unresolved variable : app.partnerId")
    return None


def _after(response: Response) -> Response:
    if not _ours():
        return response
    for fault in g.get("gentu_faults", ()):
        match fault.kind:
            case "truncated":  # cut JSON in a complete answer
                response.set_data(response.get_data()[: max(1, len(response.get_data()) // 2)])
            case "cut_body":  # a body shorter than the header says, then silence
                wire().cut_at = 0.5
            case "drip":
                wire().drip_s = fault.ms / 1000
    if "gentu_arrived" in g:
        current().traffic.answered(
            Entry(
                g.gentu_arrived,
                g.gentu_route,
                request.path,
                request.query_string.decode("latin-1"),
                0 if wire().hang_up else response.status_code,
                request.headers.get("User-Agent", ""),
                request.headers.get("Accept", ""),
            )
        )
    return response


def wire() -> Wire:
    """The connection below this request; a throwaway one where a test client has no connection."""
    found = request.environ.get(WIRE)
    return found if isinstance(found, Wire) else Wire()


def _ours() -> bool:
    return request.path.startswith(f"{BASE}/")


def _quota() -> Response:
    return _fault(429, "policies.ratelimit.QuotaViolation", "Rate limit quota violation. Quota limit exceeded.")


def _fault(status: int, code: str, text: str) -> Response:
    return gateway_fault(current().knobs.fault_shape, status, code, text)


def _with_retry_after(response: Response, fault: Fault) -> Response:
    if fault.retry_after is not None:
        response.headers["Retry-After"] = str(fault.retry_after)
    return response
