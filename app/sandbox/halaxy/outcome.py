"""How Halaxy says no: an OperationOutcome, but for a 405, which says nothing."""

from __future__ import annotations

import msgspec
from flask import Response

JSON = "application/fhir+json"
_CODES = {
    400: "invalid", 401: "login", 403: "forbidden", 404: "not-found", 406: "not-supported", 410: "deleted",
    422: "invalid", 429: "throttled", 503: "transient",
}  # fmt: skip


def answer(body: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(body), status, content_type=JSON)


def outcome(code: str, text: str, severity: str = "error", **more: object) -> dict[str, object]:
    issue = {"severity": severity, "code": code, "details": {"text": text}}
    return {"resourceType": "OperationOutcome", **more, "issue": [issue]}


def refusal(status: int, text: str, code: str | None = None) -> Response:
    if status == 405:
        return Response(b"", 405)
    return answer(outcome(code or _CODES.get(status, "exception"), text), status)
