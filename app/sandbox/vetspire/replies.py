"""How this vendor answers and refuses."""

from __future__ import annotations

import msgspec
from flask import Response


def answer(body: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(body), status, content_type="application/json; charset=utf-8")


def refusal(status: int, text: str) -> Response:
    return answer({"errors": [{"message": text}]}, status)


def errors(text: str, code: str | None = None, data: object = None) -> Response:
    """A refusal that comes as a success."""
    told = {"message": text, "locations": [{"line": 1, "column": 1}]}
    return answer({"data": data, "errors": [told | ({"code": code} if code else {})]})
