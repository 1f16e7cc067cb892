"""How a FHIR server answers and refuses: OperationOutcome, media type, weak ETags."""

from __future__ import annotations

import json

from flask import Response, request

CONTENT_TYPE = "application/fhir+json"
_CODES = {
    400: "invalid",
    401: "login",
    403: "forbidden",
    404: "not-found",
    405: "not-supported",
    406: "not-supported",
    410: "deleted",
    415: "not-supported",
    429: "throttled",
}


class Refused(Exception):
    """A search that is not answered."""

    def __init__(self, response: Response) -> None:
        self.response = response
        super().__init__()


def outcome(severity: str, code: str, text: str) -> dict[str, object]:
    return {"resourceType": "OperationOutcome", "issue": [{"severity": severity, "code": code, "diagnostics": text}]}


def refusal(status: int, text: str, code: str | None = None) -> Response:
    said = code or _CODES.get(status, "exception" if status >= 500 else "processing")
    response = answer(outcome("error", said, text), status)
    if status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def answer(body: object, status: int = 200) -> Response:
    return Response(json.dumps(body, ensure_ascii=False), status, content_type=f"{CONTENT_TYPE}; charset=utf-8")


def resource(record: dict[str, object]) -> Response:
    """One resource with its version; 304 where the caller has that one."""
    meta = record.get("meta")
    version = meta.get("versionId") if isinstance(meta, dict) else None
    tag = f'W/"{version}"'
    if version and request.headers.get("If-None-Match") == tag:
        return Response(status=304, headers={"ETag": tag})
    response = answer(record)
    if version:
        response.headers["ETag"] = tag
    return response
