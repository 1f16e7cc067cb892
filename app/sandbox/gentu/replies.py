"""What the vendor says when it does not say yes: the gateway's faults and the application's messages."""

from __future__ import annotations

import json
from typing import Literal

import msgspec
from flask import Response

from app.errors import RunsheetError

JSON = "application/json"


class Refused(RunsheetError):
    """Ends a request with this answer."""

    def __init__(self, response: Response) -> None:
        super().__init__(f"answered {response.status_code}")
        self.response = response


def answer(body: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(body), status, content_type=JSON)


def message(text: str, status: int) -> Response:
    """An error of the application. The vendor's own shape is not public; this one is assumed."""
    return answer({"message": text}, status)


def gateway_fault(shape: Literal["nested", "flat"], status: int, code: str, text: str) -> Response:
    """An error of the API gateway; `errorcode` was seen in two places."""
    if shape == "flat":
        return answer({"fault": {"faultstring": text, "errorcode": code}}, status)
    return answer({"fault": {"faultstring": text, "detail": {"errorcode": code}}}, status)


def bad_request(text: str) -> Refused:
    return Refused(message(text, 400))


def as_sent(body: object) -> str:
    """JSON that may hold what JSON should not (NaN, lone surrogates): for poisoned records only."""
    return json.dumps(body, ensure_ascii=True, allow_nan=True)
