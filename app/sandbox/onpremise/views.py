"""The bridge's addresses: its list of installations, tokens, and the entities an account may read."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec
from flask import Blueprint, Response, request

from app.sandbox.onpremise import AUDIENCE, CLIENT_ID, PASSWORD, REALM, USER, odata, wire
from app.sandbox.onpremise.product import Product
from app.sandbox.stage.stage import Knobs, Stage, current

_GRANT = "http://auth0.com/oauth/grant-type/password-realm"
_KNOWN = {"$filter", "$orderby", "$top", "$skip", "$inlinecount", "$expand"}
#: Rows an answer has at most, and where nobody says how many.
_MOST, _USUAL = 50_000, 100
#: Days around today that the bridge holds.
_BACK, _AHEAD = timedelta(days=60), timedelta(days=120)


class BridgeKnobs(Knobs):
    """shows_appointments: not every account does. basic: whether user and password open it, or only a token.
    looping: every page is the first. stale_h: hours since the agent last came through."""

    shows_appointments: bool = True
    basic: bool = True
    looping: bool = False
    stale_h: float = 0


def refusal(status: int, text: str) -> Response:
    body = {"odata.error": {"code": "", "message": {"lang": "en-US", "value": text}}}
    return Response(msgspec.json.encode(body), status, content_type="application/json;odata=minimalmetadata")


def door(product: Product) -> Callable[[], Response | None]:
    def stand() -> Response | None:
        stage = current(product.kind)
        scheme, _, value = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "basic":
            let_in = knobs(stage).basic and _is_partner(value)
        else:
            let_in = scheme.lower() == "bearer" and stage.tokens.is_good(value)
        if not let_in:
            refused = refusal(401, "Authorization has been denied for this request.")
            refused.headers["WWW-Authenticate"] = "Basic" if knobs(stage).basic else "Bearer"
            return refused
        if request.path.endswith("/InstallationList"):
            return None
        installation = request.headers.get("Installation")
        if not installation:
            return refusal(400, "The Installation header is missing.")
        if installation.strip("{}").lower() != product.installation:
            return refusal(403, "This account may not read that installation.")
        return None

    return stand


def _is_partner(value: str) -> bool:
    try:
        given = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return False
    return hmac.compare_digest(given, f"{USER}:{PASSWORD}".encode())


def knobs(stage: Stage) -> BridgeKnobs:
    assert isinstance(stage.knobs, BridgeKnobs), "opened with these"
    return stage.knobs


def blueprint(product: Product) -> Blueprint:
    kind = product.kind
    bp = Blueprint(f"bridge_{kind}", __name__, url_prefix=f"/{kind}")
    bp.add_url_rule("/oauth/token", endpoint="token", view_func=lambda: _token(kind), methods=["POST"])
    bp.add_url_rule("/InstallationList", endpoint="installations", view_func=lambda: _installations(product))
    bp.add_url_rule("/v2/Appointments", endpoint="appointments", view_func=lambda: _appointments(product))
    bp.add_url_rule("/v2/Patients", endpoint="patients", view_func=lambda: _patients(product))
    bp.add_url_rule("/v2/Clients", endpoint="clients", view_func=lambda: _clients(product))
    return bp


def _token(kind: str) -> Response:
    stage, form = current(kind), request.form
    wanted = {
        "grant_type": _GRANT,
        "client_id": CLIENT_ID,
        "audience": AUDIENCE,
        "username": USER,
        "password": PASSWORD,
        "realm": REALM,
    }
    if any(form.get(name) != value for name, value in wanted.items()):
        body = {"error": "invalid_grant", "error_description": "Wrong email or password."}
        return Response(msgspec.json.encode(body), 403, content_type="application/json")
    life = stage.knobs.token_ttl_s
    answer = {"access_token": stage.tokens.mint(life), "token_type": "Bearer", "expires_in": int(life)}
    return Response(msgspec.json.encode(answer), content_type="application/json")


def _installations(product: Product) -> Response:
    listed = [
        {"InstallationId": product.installation, "PMS": product.name, "PracticeName": "Banksia Street Animal Clinic"},
        {"InstallationId": "00000000-1111-4222-8333-444444444444", "PMS": "ImproMed", "PracticeName": "Somebody Else"},
    ]
    return Response(msgspec.json.encode(listed), content_type="application/json")


def _appointments(product: Product) -> Response:
    stage = current(product.kind)
    if not knobs(stage).shows_appointments:
        return refusal(404, "Resource not found for the segment 'Appointments'.")
    book = stage.book
    with book.lock:
        now = book.clock.now()
        visits = [one for gone in (False, True) for one in book.between(now - _BACK, now + _AHEAD, deleted=gone)]
        records = [record for one in visits for record in wire.appointments(book, product, one)]
    if hours := knobs(stage).stale_h:
        records = [one | {"APILastChangeDate": _earlier(one.get("APILastChangeDate"), hours)} for one in records]
    return _listed(stage, "Appointments", records)


def _earlier(stamp: object, hours: float) -> str:
    return (datetime.fromisoformat(str(stamp)) - timedelta(hours=hours)).isoformat()


def _patients(product: Product) -> Response:
    stage = current(product.kind)
    with stage.book.lock:
        records = [wire.patient(stage.book, one) for one in stage.book.patients.values()]
    return _listed(stage, "Patients", records)


def _clients(product: Product) -> Response:
    """Telephones and addresses come along where they are asked for."""
    stage = current(product.kind)
    expanded = {"Phones", "Emails"} <= set(request.args.get("$expand", "").split(","))
    with stage.book.lock:
        owners = {one.owner.id: one for one in reversed(stage.book.patients.values()) if one.owner}
        records = [wire.client(stage.book, one, expanded=expanded) for one in owners.values()]
    return _listed(stage, "Clients", records)


def _listed(stage: Stage, entity: str, records: list[odata.Record]) -> Response:
    """Without a wish for JSON the answer is Atom, as version 3 has it."""
    if "json" not in request.headers.get("Accept", ""):
        feed = '<?xml version="1.0"?><feed xmlns="http://www.w3.org/2005/Atom"/>'
        return Response(feed, content_type="application/atom+xml")
    if strangers := request.args.keys() - _KNOWN:
        return refusal(400, f"The query parameter '{min(strangers)}' is not supported.")
    names = {name for record in records for name in record} | {"APIRemovedDate", "SiteId", "Id", "PmsId"} | _SORTABLE
    try:
        if text := request.args.get("$filter"):
            test = odata.matching(text, names)
            records = [one for one in records if test(one)]
        records = odata.ordered(records, request.args.get("$orderby", ""), names)
        skip, top = (int(request.args.get(name, usual)) for name, usual in (("$skip", 0), ("$top", _USUAL)))
    except (ValueError, TypeError) as error:
        return refusal(400, str(error))
    if skip < 0 or not 0 < top <= _MOST:
        return refusal(400, "The value of a paging parameter is out of range.")
    skip = 0 if knobs(stage).looping else skip
    address = f"{request.host_url}{stage.base.strip('/')}/v2/$metadata#{entity}"
    body: dict[str, object] = {"odata.metadata": address}
    if request.args.get("$inlinecount") == "allpages":
        body["odata.count"] = str(len(records))
    body["value"] = records[skip : skip + top]
    return Response(msgspec.json.encode(body), content_type="application/json;odata=minimalmetadata")


_SORTABLE = {"APICreateDate", "APILastChangeDate", "AppointmentDate"}
