"""Getting in: the token, the pairing of a practice, and which practices the app may see."""

from __future__ import annotations

from hmac import compare_digest

from flask import Blueprint, Response, request

from app import clock
from app.errors import InvalidInput
from app.sandbox.clinic.practice import Practice
from app.sandbox.gentu import BASE
from app.sandbox.gentu.replies import Refused, answer, bad_request, gateway_fault, message
from app.sandbox.state import current
from app.sandbox.world import CODE_LENGTH

bp = Blueprint("gentu_access", __name__, url_prefix=BASE)


@bp.post("/oauth2/token")
def token() -> Response:
    """Client credentials in a Basic header and a form; the only fields a client should need are the first and third."""
    sandbox = current()
    given = request.authorization
    options = sandbox.options
    if given is None or given.type != "basic" or not _same(given.username, options.client_id):
        return _refused("oauth.v2.InvalidClientIdentifier", "Invalid client identifier")
    if not _same(given.password, options.client_secret):
        return _refused("oauth.v2.InvalidClientCredentials", "Invalid client credentials")
    if request.form.get("grant_type") != "client_credentials":
        raise Refused(
            gateway_fault(sandbox.knobs.fault_shape, 400, "oauth.v2.UnSupportedGrantType", "Unsupported grant type")
        )
    return answer(
        {
            "access_token": sandbox.tokens.mint(sandbox.knobs.token_ttl_s),
            "token_type": "Bearer",
            "expires_in": int(sandbox.knobs.token_ttl_s),
            "issued_at": str(int(clock.now().timestamp() * 1000)),
            "application_name": options.app_id,
            "api_product_list": "[HealthcareAPI]",
            "developer.email": "developer@example.com",
            "refresh_token_expires_in": 0,
            "status": "approved",
        }
    )


@bp.put("/apps/<app_id>/pairing/<code>")
def pair(app_id: str, code: str) -> Response:
    """Spend a code. Refusals are assumed: the vendor's are not public."""
    sandbox = current()
    if app_id != sandbox.options.app_id:
        return message("This token does not belong to that app.", 403)
    if len(code) != CODE_LENGTH:
        raise bad_request(f"A pairing code has {CODE_LENGTH} characters.")
    try:
        tenant_id = sandbox.world.spend_code(code)
    except InvalidInput as error:
        return message(str(error), 404)
    return answer({"message": "Paired.", "tenantId": tenant_id})


@bp.get("/tenants")
def tenants() -> Response:
    """Those that are or were paired; the others do not show."""
    world = current().world
    with world.lock:
        rows = [{"tenantId": tenant_id, "tenantAccess": access} for tenant_id, access in world.access.items()]
    return answer(rows)


def open_practice(tenant_id: str) -> Practice:
    """The paired practice of that id; hold the world's lock. Raises Refused (403, assumed) for any other."""
    world = current().world
    if world.access.get(tenant_id) != "enabled" or tenant_id not in world.practices:
        raise Refused(message("Access to this tenant is not enabled.", 403))
    return world.practices[tenant_id]


def _same(given: str | None, wanted: str) -> bool:
    return compare_digest((given or "").encode(), wanted.encode())


def _refused(code: str, text: str) -> Response:
    return gateway_fault(current().knobs.fault_shape, 401, code, text)
