"""The pages of Neo that a log-in passes: HTML with a script, as the web application has them [assumed in detail]."""

from __future__ import annotations

import secrets
from html import escape

from flask import Response, make_response, request

from app.sandbox.idexx_neo import BASE
from app.sandbox.idexx_neo.clinic import KIND, knobs
from app.sandbox.stage.stage import current

CSRF = "neo_csrf"
_PAGE = '<!doctype html><html lang="en"><head><title>Neo</title>{head}</head><body>{body}</body></html>'
_COMPANY = '<label>Company ID <input name="company_id" required></label>'
_FORM = """<h1>Sign in to Neo</h1>{complaint}
<form method="post" action="{base}/login">
<input type="hidden" name="_csrf" value="{token}">{company}
<label>User name <input name="username" autocomplete="username"></label>
<label>Password <input type="password" name="password"></label>
<button type="submit" disabled>Sign in</button></form>
<script>
addEventListener("DOMContentLoaded", () => {{
  const form = document.forms[0];
  form._csrf.value = document.querySelector("meta[name=csrf-token]").content;
  setTimeout(() => {{ form.querySelector("button").disabled = false; }}, 150);
}});
</script>"""
_CODE = '<h1>Verify</h1><form method="post" action="{base}/verify"><input name="otp"><button>Verify</button></form>'
_DASHBOARD = '<h1>Dashboard</h1><p id="clinic">{name}</p>'


def html(body: str, status: int = 200, head: str = "") -> Response:
    return Response(_PAGE.format(head=head, body=body), status, content_type="text/html; charset=utf-8")


def login(complaint: str, status: int = 200) -> Response:
    """The form, with a token of this browser's: also in a meta element, whence the page's script copies it."""
    turned, token = knobs(), request.cookies.get(CSRF) or secrets.token_hex(16)
    shown = f'<div class="alert-danger">{escape(complaint)}</div>' if complaint else ""
    body = _FORM.format(
        complaint=shown,
        base=BASE,
        token="" if turned.scripted else token,
        company=_COMPANY if turned.company_id is not None else "",
    )
    response = make_response(html(body, status, f'<meta name="csrf-token" content="{token}">'))
    response.set_cookie(CSRF, token, path="/", samesite="Lax")
    return response


def verify() -> Response:
    return html(_CODE.format(base=BASE))


def dashboard() -> Response:
    return html(_DASHBOARD.format(name=escape(current(KIND).book.setup.name)))
