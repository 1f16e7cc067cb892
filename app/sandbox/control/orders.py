"""Reading an order and answering it: JSON for programs, a form and a redirect back to the page for people."""

from __future__ import annotations

import ipaddress
from contextlib import suppress
from typing import TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit

import msgspec
from flask import Response, request, url_for

from app.errors import InvalidInput
from app.sandbox.gentu.replies import answer

Order = TypeVar("Order")

#: What a form sends for "no value", where a blank field means "leave as it is".
NULL = "null"


def fields() -> dict[str, object]:
    """The order's members. Of a form, blank fields count as not said. Raises InvalidInput."""
    if request.mimetype == "application/json":
        try:
            body = msgspec.json.decode(request.get_data() or b"{}")
        except msgspec.DecodeError as error:
            raise InvalidInput(f"This is not JSON: {error}") from error
        if not isinstance(body, dict):
            raise InvalidInput("An order is a JSON object.")
        return body
    said = {name: value for name, value in request.form.items() if value != "" and name not in ("back", "page")}
    return {name: None if value == NULL else value for name, value in said.items()}


def read(kind: type[Order]) -> Order:
    """The order as one of our shapes. Raises InvalidInput with the member that does not fit."""
    try:
        return msgspec.convert(fields(), kind, strict=False)
    except msgspec.ValidationError as error:
        raise InvalidInput(str(error)) from error


def done(sentence: str, status: int = 200, **result: object) -> Response:
    """`result` as JSON; somebody at the page reads the sentence instead."""
    return _back_to_the_page(sentence) if _from_a_form() else answer(result, status)


def refused(sentence: str, status: int) -> Response:
    return _back_to_the_page(sentence) if _from_a_form() else answer({"error": sentence}, status)


def strangers() -> Response | None:
    """Refuse web pages of other sites: they could otherwise press these buttons through somebody's browser."""
    if not request.path.startswith("/control"):
        return None
    origin = request.headers.get("Origin")
    if not _loopback(request.host) or (origin is not None and urlsplit(origin).netloc != request.host):
        return answer({"error": "Only pages of this simulator may do that."}, 403)
    return None


def _loopback(host: str) -> bool:
    name = urlsplit(f"//{host}").hostname or ""
    with suppress(ValueError):
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    return False


def _from_a_form() -> bool:
    return request.method == "POST" and request.mimetype == "application/x-www-form-urlencoded"


def _back_to_the_page(sentence: str) -> Response:
    kept = [(name, value) for name, value in parse_qsl(request.form.get("back", "")) if name != "said"]
    page = request.form.get("page", "")
    page = page if page.startswith("/control/") else url_for("control_page.show")
    return Response(status=303, headers={"Location": f"{page}?{urlencode([*kept, ('said', sentence)])}"})
