"""Logging in without a browser: the log-in page's own form, posted as it stands.

Nobody has shown that this works with Neo (pms/idexx-neo.md §1: unproven), so it is only done where somebody chose it.
The page may be asked for twice, the password is sent once (F12).
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode, urljoin, urlsplit

from app.pms.errors import (
    PmsAuthFailed,
    PmsBadRequest,
    PmsForbidden,
    PmsMalformed,
    PmsNotConfigured,
    PmsRetryable,
    PmsUntrusted,
)
from app.pms.http import Call, PmsHttp
from app.pms.idexx_neo import jar, page
from app.pms.idexx_neo.settings import NeoSettings
from app.pms.retry import ONCE
from app.pms.transport import Reply

#: Seconds for the page, the post and each redirect; all of them together end within the token's lease of 30 s.
_PAGE_S, _POST_S, _HOP_S, _WAIT_S = 4.0, 8.0, 3.0, 2.0
_MOST_HOPS = 3
_LOGIN = "/login"
_TYPE = {"Content-Type": "application/x-www-form-urlencoded"}


def log_in(http: PmsHttp, settings: NeoSettings, headers: Mapping[str, str]) -> str:
    """The jar of a session. `headers` go with every request.

    Raises PmsAuthFailed where the log-in is refused; PmsNotConfigured where the page wants what nobody typed; any
    other PmsError where nobody knows.
    """
    url = settings.base_url + _LOGIN
    shown = _page(http, url, headers)
    kept = jar.after("", shown.headers)
    form = page.seen(shown.body).login
    if form is None:
        raise PmsMalformed("a log-in page without a form: it may need a browser")
    body = urlencode(_filled(form, settings)).encode()
    url = urljoin(url, form.action or url)
    try:
        reply = http.send(_call("POST", url, {**headers, **_TYPE, "Cookie": kept}, _POST_S, body))
    except (PmsBadRequest, PmsForbidden) as error:
        raise PmsAuthFailed(f"the log-in was refused: {error}") from None
    kept = jar.after(kept, reply.headers)
    for _ in range(_MOST_HOPS):
        if reply.status < 300:
            break
        url = urljoin(url, reply.headers.get("location", ""))
        reply = http.send(_call("GET", url, {**headers, "Cookie": kept}, _HOP_S))
        kept = jar.after(kept, reply.headers)
    return judged(urlsplit(url).path, reply, kept)


def judged(path: str, reply: Reply, kept: str) -> str:
    """The jar, where the log-in led to a page behind it. Raises as `log_in`."""
    if reply.status >= 300:
        raise PmsUntrusted("the log-in leads from one address to the next without end", reason="redirect")
    if page.seen(reply.body).asks_code:
        raise second_factor()
    if _LOGIN in path or page.is_login(reply.body) or not jar.has_session(kept):
        raise PmsAuthFailed("the log-in was refused")
    return kept


def second_factor() -> PmsNotConfigured:
    return PmsNotConfigured(
        "IDEXX Neo asks this user for a second factor. Make a user for Runsheet that needs none, or paste cookies.",
        reason="second_factor",
    )


def no_company() -> PmsNotConfigured:
    return PmsNotConfigured("This clinic's log-in page asks for a company ID; type it as well.", reason="not_paired")


def _filled(form: page.Form, settings: NeoSettings) -> dict[str, str]:
    """What is posted: the hidden fields as they are, and what was typed. Raises PmsNotConfigured, PmsMalformed."""
    if form.username is None or form.password is None:
        raise PmsMalformed("a log-in form without a field for the user's name")
    filled = {**form.hidden, form.username: settings.username, form.password: settings.password}
    company = form.named(*page.COMPANIES)
    if company is not None:
        needed = any(one.get("name") == company and "required" in one for one in form.inputs)
        if needed and not settings.company_id:
            raise no_company()
        filled[company] = settings.company_id
    return filled


def _page(http: PmsHttp, url: str, headers: Mapping[str, str]) -> Reply:
    """The log-in page, on a connection of its own: one that is kept might bring an earlier session's cookies along."""
    call = _call("GET", url, headers, _PAGE_S)
    try:
        return http.send(call)
    except PmsRetryable as error:
        if error.retry_after_s is not None:
            raise
        return http.send(call)


def _call(method: str, url: str, headers: Mapping[str, str], deadline_s: float, body: bytes | None = None) -> Call:
    return Call(
        method,
        url,
        _LOGIN,
        headers=headers,
        body=body,
        signed=False,
        urgent=True,
        redirects=True,
        policy=ONCE,
        deadline_s=deadline_s,
        max_wait_s=_WAIT_S,
    )
