"""Who is let in: a fixed token that was handed to the customer, or one that was made for client credentials."""

from __future__ import annotations

from typing import Literal, cast

import msgspec
from flask import Response, request

from app.sandbox.medirecords import BASE, CLIENT_ID, CLIENT_SECRET, PRACTICE, TOKEN
from app.sandbox.stage.stage import Knobs, current

JSON = "application/json"
#: A heading of the vendor's own list of faults; with which status it comes is [assumed].
NOT_ENTITLED = "Invalid token does not contain resource ID"


class MedirecordsKnobs(Knobs, kw_only=True, forbid_unknown_fields=True):
    """entitled: whether the token is good for this practice; entitled_status: how it is told where it is not.
    search: of patients; it may be refused, or take no notice of what is asked. stuck: every page of a longer list is
    the first.
    says_last: whether a page says that it is the last. bare_lists: code lists come without an envelope.
    inclusive: whether a range includes its ends. seconds: whether times bear them. zone: whether the practice tells it.
    """

    limits: tuple[tuple[int, float], ...] = ((60, 60),)
    entitled: bool = True
    entitled_status: int = 403
    search: Literal["ok", "refused", "ignored"] = "ok"
    stuck: bool = False
    says_last: bool = True
    bare_lists: bool = True
    inclusive: bool = True
    seconds: bool = False
    zone: bool = False


def knobs() -> MedirecordsKnobs:
    return cast(MedirecordsKnobs, current("medirecords").knobs)


def answer(body: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(body), status, content_type=JSON)


def refusal(status: int, text: str, parameter: str | None = None) -> Response:
    return answer({"errors": [{"parameter": parameter, "message": text}]}, status)


def door() -> Response | None:
    """None: come in."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme != "Bearer" or not (token == TOKEN or current("medirecords").tokens.is_good(token)):
        return refusal(401, "Invalid token")
    parts = request.path.removeprefix(BASE).split("/")
    if parts[1:3] == ["v1", "practices"] and (parts[3] != PRACTICE or not knobs().entitled):
        return refusal(knobs().entitled_status, NOT_ENTITLED)
    return None


def token() -> Response:
    """`POST /oauth/token`, a form. [seen in code, and given up again by whoever wrote it]"""
    said = {name: request.form.get(name) for name in ("grant_type", "client_id", "client_secret")}
    if said["grant_type"] != "client_credentials":
        return refusal(400, "Unsupported grant type")
    if (said["client_id"], said["client_secret"]) != (CLIENT_ID, CLIENT_SECRET):
        return refusal(401, "Invalid client")
    stage = current("medirecords")
    return answer({"access_token": stage.tokens.mint(knobs().token_ttl_s), "expires_in": int(knobs().token_ttl_s)})
