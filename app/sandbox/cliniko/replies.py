"""How this vendor answers and refuses."""

from __future__ import annotations

import msgspec
from flask import Response


def answer(body: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(body), status, content_type="application/json; charset=utf-8")


def refusal(status: int, text: str) -> Response:
    """[assumed] Their shape is public for 422 and 400 alone."""
    return answer({"message": text}, status)


def sentence(text: str) -> Response:
    """400: a plain sentence (seen in code)."""
    return Response(text, 400, content_type="text/plain; charset=utf-8")
