"""A session of Neo's web application: got by one of three ways, kept as a token, and noticed when it is over.

Source: pms/idexx-neo.md §1. How long it lives is not public; an answer that is a log-in page is never an empty day.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from urllib.parse import urlsplit

from app import clock
from app.pms.errors import PmsAuthFailed, PmsError, PmsForbidden, PmsMalformed, PmsNotConfigured
from app.pms.http import PmsHttp
from app.pms.idexx_neo import form, jar, page
from app.pms.idexx_neo.settings import BROWSER, COOKIES, NeoSettings
from app.pms.tokens import Token
from app.pms.transport import Reply

#: What public code believes of a session (seen in code: odis/lib); the vendor's own word comes first.
LIFE = timedelta(hours=8)
#: One that was pasted is believed until the vendor ends it: nobody could renew it.
PASTED_LIFE = timedelta(days=365)
#: One and the same for the browser that logs in and for what is asked with its session [assumed: a session may be bound
#: to it]. It says who we are.
AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Runsheet"
_LOOKS = {"User-Agent": AGENT, "Accept": "text/html,application/xhtml+xml"}
_ASKS = {"User-Agent": AGENT, "Accept": "application/json", "X-Requested-With": "XMLHttpRequest"}


class Sessions:
    """One run's log-ins. Safe to share between threads."""

    def __init__(self, http: PmsHttp, settings: NeoSettings, cancelled: Callable[[], bool]) -> None:
        self._http = http
        self._settings = settings
        self._cancelled = cancelled
        self._fresh = False

    def mint(self, before: Token | None) -> Token:
        """A new session, by the way that was chosen.

        Raises PmsAuthFailed where it is refused, and where a pasted one has ended; PmsNotConfigured naming what is
        missing; any other PmsError where nobody knows.
        """
        self._settings.whole()
        began = clock.now()
        if self._settings.way == COOKIES:
            return self._pasted(before)
        if self._settings.way == BROWSER:
            from app.pms.idexx_neo import browser  # noqa: PLC0415 - not for those who log in otherwise

            kept = browser.log_in(self._settings, AGENT, self._cancelled)
        else:
            kept = form.log_in(self._http, self._settings, _LOOKS)
        self._fresh = True
        return Token(kept, began, began + LIFE)

    def _pasted(self, before: Token | None) -> Token:
        kept = jar.pasted(self._settings.cookies)
        if kept is None:
            raise PmsNotConfigured("These cannot be cookies. Copy the whole value of the Cookie header once more.")
        if before is not None and before.access == kept:
            raise PmsAuthFailed("the session whose cookies were pasted has ended")
        now = clock.now()
        return Token(kept, now, now + PASTED_LIFE)

    @staticmethod
    def headers(kept: str) -> Mapping[str, str]:
        """How a request bears its session, as the web application's own requests do."""
        return {**_ASKS, "Cookie": kept}

    def ended(self, reply: Reply) -> PmsError | None:
        """Whether this answer says that the session is over (seen in code: odis/ext, odis/lib).

        A 401, a redirect to the log-in page and the page itself say so. A 403 and any other page may say it too: one
        log-in a run finds out, after which they are what they look like.
        """
        location = urlsplit(reply.headers.get("location", "")).path
        to_login = 300 <= reply.status < 400 and "/login" in location
        html = "html" in reply.headers.get("content-type", "").lower() or reply.body[:100].lstrip()[:1] == b"<"
        if reply.status == 401 or to_login or (reply.status < 300 and html and page.is_login(reply.body)):
            return PmsAuthFailed("asked to log in again")
        if self._fresh or self._settings.way == COOKIES:
            return None
        if reply.status == 403:
            return PmsForbidden("answered 403")
        return PmsMalformed("a web page instead of an answer") if reply.status < 300 and html else None
