"""Sign-in, sign-out and the choice of a practice.

An address nobody has, a wrong password and too many tries get the same answer after the same work (X3). Failures are
counted per account and place; a browser that came in before is a place of its own, so that a stranger's failures from
the same network do not keep its people out (X4).
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import secrets
from uuid import UUID

from flask import Blueprint, Response, current_app, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from itsdangerous import BadSignature, URLSafeSerializer

from app import clock
from app.errors import InvalidInput, NotFound
from app.security import passwords
from app.security.roles import Permission
from app.store import sessions
from app.store.sessions import Account
from app.web import session
from app.web.forms import Form
from app.web.security import local_path, public, signed_in
from app.wiring import settings, store

log = logging.getLogger(__name__)
bp = Blueprint("login", __name__)

_GENERIC = (
    "That e-mail address and password do not go together, or there were too many tries. Wait a little and try again."
)
_DEVICE_DAYS = 180
_MOST_ACCOUNTS = 10  # that one shared computer is remembered for


@bp.get("/")
@public
def root() -> ResponseReturnValue:
    return redirect(url_for("runsheet.today"), code=303)


@bp.get("/login")
@public
def form() -> ResponseReturnValue:
    return _page(Form(), local_path(request.args.get("next")))


@bp.post("/login")
@public
def sign_in() -> ResponseReturnValue:
    typed, back = Form(request.form), local_path(request.form.get("next"))
    try:
        email = typed.text("email", "Type the e-mail address of your account.").lower()
        if not typed.raw("password"):
            typed.reject("password", "Type your password.")
        typed.check()
        account = _admitted(email, typed.raw("password"))
    except InvalidInput as error:
        typed.refuse(error)
        return _page(typed, back, status=422)
    session.sign_in(account.user_id, account.practices[0][0])
    several = len(account.practices) > 1
    answer = redirect(url_for(".practices", next=back or None) if several else back or url_for("runsheet.today"), 303)
    made = make_response(answer)
    _remember_device(made, email)
    return made


@bp.post("/logout")
@public
def sign_out() -> ResponseReturnValue:
    """Ends the session wherever it is; what the browser kept of it goes too."""
    session.sign_out()
    answer = make_response(redirect(url_for(".form"), code=303))
    # Not "cookies": the sign-in is gone, and that this browser was here before must survive (X4).
    answer.headers["Clear-Site-Data"] = '"cache", "storage"'
    return answer


@bp.get("/practices")
@signed_in(Permission.SHEET_READ)
def practices() -> ResponseReturnValue:
    """Where somebody who works in several practices says in which they work now."""
    with store().read() as reading:
        found = sessions.practices_of(reading, session.current().user_id)
    return make_response(
        render_template("login/practices.html", practices=found, next=local_path(request.args.get("next")))
    )


@bp.post("/practices")
@signed_in(Permission.SHEET_READ)
def choose_practice() -> ResponseReturnValue:
    """Another practice is another role: a new session id (X5)."""
    visitor = session.current()
    wanted = Form(request.form).ident("practice", "Choose a practice.")
    with store().read() as reading:
        found = sessions.practices_of(reading, visitor.user_id)
    if not any(practice_id == wanted for practice_id, _ in found):
        raise NotFound("There is no such practice for this person.")
    assert isinstance(wanted, UUID)
    session.sign_in(visitor.user_id, wanted)
    return redirect(local_path(request.form.get("next")) or url_for("runsheet.today"), code=303)


def _admitted(email: str, password: str) -> Account:
    """The account that may come in. Raises InvalidInput with the one sentence for every reason.

    The password is checked in every case, against a dummy where there is nothing to check, before anything is decided.
    """
    account_hash, now = _account_hash(email), clock.now()
    place = _place(email)
    with store().read() as reading:
        account = sessions.account_of(reading, email)
        blocked = sessions.blocked(reading, account_hash, place, now)
    fits = passwords.verify(account.password_hash if account and not blocked else None, password)
    if account is None or blocked or not fits:
        log.info("sign-in refused", extra={"outcome": "refused"})
        if not blocked:
            with store().write() as writing:
                sessions.failed(writing, account_hash, place, now)
        raise InvalidInput(_GENERIC)
    with store().write() as writing:
        sessions.forgive(writing, account_hash, place)
        if passwords.needs_rehash(account.password_hash):
            sessions.keep_password(writing, account.user_id, password)
    return account


def _page(typed: Form, back: str, status: int = 200) -> Response:
    return make_response(render_template("login/login.html", form=typed, next=back), status)


# --- places -----------------------------------------------------------------------------------------------------------


def _account_hash(email: str) -> bytes:
    return hmac.new(settings().secret_key.encode(), b"account\x00" + email.encode(), hashlib.sha256).digest()


def _place(email: str) -> str:
    """Where a try comes from: this known browser, else the network of the peer."""
    known = _known_device()
    if known is not None and _account_hash(email).hex()[:16] in known[1]:
        return f"device:{known[0]}"
    return sessions.network_of(request.remote_addr)


def _signer() -> URLSafeSerializer:
    return URLSafeSerializer(settings().secret_key, salt="runsheet known device")


def _device_cookie() -> str:
    return f"{current_app.config['SESSION_COOKIE_NAME']}-device"


def _known_device() -> tuple[str, list[str]] | None:
    """(its id, the accounts that came in from it), as signed by us."""
    try:
        device, accounts = _signer().loads(request.cookies.get(_device_cookie(), ""))
    except (BadSignature, ValueError, TypeError):
        return None
    return str(device), [str(account) for account in accounts]


def _remember_device(answer: Response, email: str) -> None:
    device, accounts = _known_device() or (secrets.token_hex(16), [])
    account = _account_hash(email).hex()[:16]
    accounts = [account, *(one for one in accounts if one != account)][:_MOST_ACCOUNTS]
    answer.set_cookie(
        _device_cookie(),
        _signer().dumps([device, accounts]),
        max_age=_DEVICE_DAYS * 86_400,
        secure=current_app.config["SESSION_COOKIE_SECURE"],
        httponly=True,
        samesite="Lax",
    )
