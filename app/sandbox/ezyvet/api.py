"""The vendor's routes: the token, lists of any resource, and one record by its id (which is a list of one)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hmac import compare_digest

from flask import Blueprint, Response, request

from app import clock
from app.sandbox.ezyvet import BASE, CLIENT_ID, CLIENT_SECRET, PARTNER_ID, SITE_UID, gate
from app.sandbox.ezyvet.cast import Record
from app.sandbox.ezyvet.faults import AFTERWARDS, Fault, poisoned
from app.sandbox.ezyvet.filters import BadFilter, Query
from app.sandbox.ezyvet.replies import JSON, answer, envelope, error, said
from app.sandbox.ezyvet.state import current
from app.sandbox.ezyvet.world import TABLES

bp = Blueprint("ezyvet", __name__, url_prefix=BASE)
gate.install(bp)

#: Resources by version; all others are v1 only.
_ALSO_V2 = frozenset({"appointment", "appointmenttype", "separation", "resource", "animal", "appointmentstatus"})
_V3 = frozenset({"siteInformation"})
_V4 = frozenset({"species", "breed"})


@bp.post("/v<int:version>/oauth/access_token")
def token(version: int) -> Response:  # noqa: ARG001 - v1 and v2 are the same
    """Client credentials, as JSON or as a form. Partner and site may be left out, but not be wrong."""
    made, asked = current(), _asked_for_token()
    knobs = made.knobs
    if asked.get("grant_type") != "client_credentials":
        return error("The grant type is not supported.", 400, "AuthenticationException")
    known = _same(asked.get("client_id"), CLIENT_ID) and _same(asked.get("client_secret"), CLIENT_SECRET)
    wrong = [
        name
        for name, right in (("partner_id", PARTNER_ID), ("site_uid", SITE_UID))
        if asked.get(name) and not _same(asked[name], right)
    ]
    if not known or wrong:
        return error("The client credentials are not valid.", 401, "AuthenticationException")
    scopes = frozenset(str(asked.get("scope", "")).replace(",", " ").split())
    if knobs.granted is not None:
        scopes &= frozenset(knobs.granted)
    access = made.tokens.mint(knobs.token_ttl_s, scopes, SITE_UID, alone=knobs.one_token)
    life: object = int(knobs.token_ttl_s)
    if knobs.expires_in == "instant":
        life = int(clock.now().timestamp() + knobs.token_ttl_s)
    elif knobs.expires_in == "text":
        life = str(life)
    return answer({"access_token": access, "token_type": "Bearer", "expires_in": life})


@bp.get("/v<int:version>/<resource>")
def listed(version: int, resource: str) -> Response:
    if (refused := _refused(version, resource)) is not None:
        return refused
    try:
        query = Query(request.args, resource)
        world = current().world
        with world.lock:
            found = [record for record in world.records(resource, query.days()) if query.holds(record)]
    except BadFilter as wrong:
        return error(str(wrong), 400)
    return _told(version, resource, found, query.page, query.limit)


@bp.get("/v<int:version>/<resource>/<int:record_id>")
def single(version: int, resource: str, record_id: int) -> Response:
    if (refused := _refused(version, resource)) is not None:
        return refused
    world = current().world
    with world.lock:
        record = world.record(resource, record_id)
    if record is None:
        return error("No record was found.", 404, "NotFoundException")
    return _told(version, resource, [record], 1, 10)


@bp.patch("/v2/appointment/<int:record_id>")
def change(record_id: int) -> Response:
    """A status of the site's own list. What else may be changed is not simulated."""
    if (refused := _refused(2, "appointment", "write")) is not None:
        return refused
    body, world = request.get_json(silent=True), current().world
    if not request.is_json or not isinstance(body, dict) or set(body) != {"status_id"}:
        return error("The request holds no status_id.", 400)
    with world.lock:
        if world.record("appointment", record_id) is None:
            return error("No record was found.", 404, "NotFoundException")
        if body["status_id"] not in [one["id"] for one in world.records("appointmentstatus")]:
            return error("There is no such status.", 400)
        record = world.put("appointment", {"status_id": body["status_id"]}, record_id)
    return _told(2, "appointment", [record], 1, 10)


def _refused(version: int, resource: str, what: str = "read") -> Response | None:
    versions = {1} | ({2} if resource in _ALSO_V2 else set()) | ({4} if resource in _V4 else set())
    if resource in _V3:
        versions = {3}
    if resource not in TABLES or version not in versions or (resource == "appointment" and version == 1):
        return error("There is no such resource.", 404, "NotFoundException")
    if not gate.may(what, resource):
        return error("The access token does not hold the scope for this resource.", 403, "AuthorizationException")
    return None


def _told(version: int, resource: str, found: list[Record], page: int, limit: int) -> Response:
    faults = gate.list_faults()
    total = len(found)
    for fault in faults:
        match fault.kind:
            case "empty_list":
                found, total = [], 0
            case "short_list":  # what was announced does not come
                found = found[: len(found) // 2]
            case "same_page":
                page = 1
            case _:
                pass
    records: list[object] = [said(record, version) for record in found[(page - 1) * limit : page * limit]]
    body = envelope(resource, _bad(records, faults), page, limit, total)
    if current().knobs.unwrapped and version == 2:
        body["items"] = records
    text = json.dumps(body, separators=(",", ":"))
    for mark, instead in AFTERWARDS.items():
        text = text.replace(mark, instead)
    return Response(text, content_type=JSON)


def _bad(records: list[object], faults: list[Fault]) -> list[object]:
    for fault in faults:
        if fault.kind == "poison" and records:
            place = min(max(0, fault.index), len(records) - 1)
            record = records[place]
            assert isinstance(record, dict)
            records[place] = poisoned(record, fault.record)
    return records


def _asked_for_token() -> Mapping[str, str]:
    if request.is_json:
        body = request.get_json(silent=True)
        return {name: str(value) for name, value in body.items()} if isinstance(body, dict) else {}
    return request.form


def _same(given: str | None, wanted: str) -> bool:
    return compare_digest((given or "").encode(), wanted.encode())
