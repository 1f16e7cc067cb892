"""What stands before every route: the log, the faults, wrong addresses, the key and the two limits."""

from __future__ import annotations

from flask import Blueprint, Response, g, request
from werkzeug.exceptions import MethodNotAllowed

from app import clock
from app.sandbox.handler import WIRE, Wire
from app.sandbox.intakeq import BASE
from app.sandbox.intakeq.faults import HTML, answer_of, message
from app.sandbox.intakeq.state import Entry, current


def install(blueprint: Blueprint) -> None:
    blueprint.before_app_request(_before)
    blueprint.after_app_request(_after)


def _before() -> Response | None:
    if not _ours():
        return None
    account = current()
    g.intakeq_at = clock.now().timestamp()
    g.intakeq_fault = account.faults.take(request.path.removeprefix(BASE))
    if g.intakeq_fault is not None and (spoilt := answer_of(g.intakeq_fault)) is not None:
        return spoilt
    if request.url_rule is None:
        if isinstance(request.routing_exception, MethodNotAllowed):
            return message("The requested resource does not support this method.", 405)
        return Response(HTML, 404, content_type="text/html; charset=utf-8")
    return _unauthorised() or _too_many()


def _unauthorised() -> Response | None:
    if request.headers.get("X-Auth-Key") == current().knobs.api_key:
        return None
    return message("The API key is missing or not valid.", 401)


def _too_many() -> Response | None:
    account = current()
    wait_s = account.limiter.wait_s(account.knobs.per_minute, account.knobs.per_day)
    if not wait_s:
        return None
    response = message("Too many requests.", 429)
    if account.knobs.retry_after:
        response.headers["Retry-After"] = str(wait_s)
    return response


def _after(response: Response) -> Response:
    if not _ours() or "intakeq_at" not in g:
        return response
    wire = request.environ.get(WIRE)
    kind = g.intakeq_fault.kind if g.intakeq_fault is not None else ""
    if kind == "truncated":
        response.set_data(response.get_data()[: max(1, len(response.get_data()) // 2)])
    elif kind == "hang_up" and isinstance(wire, Wire):
        wire.hang_up = True
    rule = str(request.url_rule or "(no such route)").removeprefix(BASE)
    current().log.append(
        Entry(
            g.intakeq_at,
            f"{request.method} {rule.replace('<', '{').replace('>', '}')}",
            request.path,
            request.query_string.decode("latin-1"),
            0 if kind == "hang_up" else response.status_code,
        )
    )
    return response


def _ours() -> bool:
    return request.path.startswith(f"{BASE}/")
