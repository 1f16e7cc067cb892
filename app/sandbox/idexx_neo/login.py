"""Logging in: a form for people, a cookie for whoever fills it in rightly."""

from __future__ import annotations

from hmac import compare_digest

from flask import Blueprint, Response, request

from app.sandbox.idexx_neo import BASE, pages
from app.sandbox.idexx_neo.clinic import KIND, knobs
from app.sandbox.idexx_neo.door import COOKIE
from app.sandbox.stage.stage import current

bp = Blueprint("idexx_neo_login", __name__, url_prefix=BASE)
#: Where nobody needs a session.
OPEN = frozenset({"/login", "/verify"})


@bp.get("/login")
def ask() -> Response:
    return pages.login("")


@bp.post("/login")
def answer() -> Response:
    """A token the browser did not get from here, then whoever is meant, then where it leads."""
    given, turned = request.form, knobs()
    token = request.cookies.get(pages.CSRF, "")
    if not token or not compare_digest(given.get("_csrf", ""), token):
        return pages.login("The page has expired. Try again.", 419)
    known = given.get("username") == turned.username and given.get("password") == turned.password
    if not known or given.get("company_id") != turned.company_id:
        return pages.login("The user name, password or company ID is not right.")
    response = Response("", 302, {"Location": f"{BASE}/{'verify' if turned.second_factor else 'dashboard'}"})
    if not turned.second_factor:
        session = current(KIND).tokens.mint(turned.token_ttl_s)
        response.set_cookie(COOKIE, session, path="/", httponly=True, samesite="Lax")
    return response


@bp.get("/verify")
def verify() -> Response:
    return pages.verify()


@bp.get("/dashboard")
def dashboard() -> Response:
    return pages.dashboard()
