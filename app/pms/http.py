"""One HTTP client for all adapters: limiter, retry, tokens, bounds, and errors by what follows from them (E04).

Every attempt takes a place in the limiter first. A 401 is answered by one new token and one replay, never by a loop.
Only the vendor's own hosts are spoken to; a redirect is an error, not a direction. The log gets the method, the route's
template, the status and the time it took: no id, no query, no body, no header.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC
from email.utils import parsedate_to_datetime
from importlib.metadata import PackageNotFoundError, version
from urllib.parse import quote, urlencode, urlsplit

from app import clock
from app.errors import InvalidInput
from app.pms.body import json_body, text_body
from app.pms.breaker import Breaker
from app.pms.errors import (
    PmsAuthFailed,
    PmsBadRequest,
    PmsCancelled,
    PmsError,
    PmsForbidden,
    PmsMalformed,
    PmsNotFound,
    PmsRateLimited,
    PmsRetryable,
    PmsUnavailable,
    PmsUntrusted,
)
from app.pms.limits import Limits
from app.pms.retry import ONCE, STANDARD, RetryPolicy, retry_after, with_retry
from app.pms.tokens import TokenManager
from app.pms.tools import Tools
from app.pms.transport import DEADLINE_S, Reply, Transport

log = logging.getLogger("app.pms.http")

#: A vendor's clock may differ from ours by this much before it is worth a line.
_SKEW_S = 120.0
_SIMPLE_ERRORS: dict[int, type[PmsError]] = {401: PmsAuthFailed, 403: PmsForbidden, 404: PmsNotFound}

#: Looks at an answer of 400 and above; an error of its own, or None for the house's reading of the status.
Classify = Callable[[Reply], PmsError | None]
#: The headers that bear a token.
Sign = Callable[[str], Mapping[str, str]]
#: Whether a reply says that the token it was asked with is no longer good: the error it is where a new one does not
#: help either, or None.
Ended = Callable[[Reply], PmsError | None]


def segment(text: str) -> str:
    """An id as one segment of a path. Raises InvalidInput for what would leave its place in the path."""
    if not text or text in {".", ".."}:
        raise InvalidInput("That is not an id.")
    return quote(text, safe="")


def query_of(values: Mapping[str, str | int] | Sequence[tuple[str, str | int]]) -> str:
    """A query string; a plus sign is written %2B, because a raw one means a blank. Pairs may repeat a name."""
    return urlencode(values, safe=",", quote_via=quote)


@dataclass(frozen=True, slots=True)
class Call:
    """One request. `route` is its template and the only thing of its address that is ever logged.

    path: below the base address, or a whole address on one of the vendor's hosts. signed: with the bearer token.
    urgent: may use the part of the limit kept for people (a log-in others wait for). redirects: a redirect is an answer
    like any other, for the caller to read; it is not followed.
    """

    method: str
    path: str
    route: str
    query: Mapping[str, str | int] | Sequence[tuple[str, str | int]] = field(default_factory=dict, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)
    signed: bool = True
    urgent: bool = False
    redirects: bool = False
    policy: RetryPolicy = STANDARD
    deadline_s: float = DEADLINE_S
    max_wait_s: float = 60.0


class PmsHttp:
    """For one adapter and one run. Safe to share between threads; close it when done.

    unsaid_pause_s: how long a 429 shuts the key where the vendor names no time; None: as long as a retry would wait.
    route_limits: what the vendor allows of one route, beside what it allows of all together. public_only: somebody of a
    practice typed the address, so it may not lead into a private network.
    """

    def __init__(
        self,
        base_url: str,
        tools: Tools,
        *,
        limits: Limits,
        limit_key: str,
        other_urls: tuple[str, ...] = (),
        classify: Classify | None = None,
        unsaid_pause_s: float | None = None,
        route_limits: Limits | None = None,
        public_only: bool = False,
    ) -> None:
        self._base = base_url.rstrip("/")
        self._tools = tools
        self._limits = limits
        self._limit_key = limit_key
        self._route_limits = route_limits
        self._origins = frozenset(_origin(url) for url in (base_url, *other_urls))
        self._classify = classify
        self._unsaid_pause_s = unsaid_pause_s
        self._tokens: TokenManager | None = None
        self._sign: Sign = bearer
        self._ended: Ended = refused_token
        self._transport = Transport(f"Runsheet/{_version()}", public_only=public_only)
        self._breaker = Breaker()
        self._skew_checked = False

    def sign_with(self, tokens: TokenManager, sign: Sign | None = None, ended: Ended | None = None) -> None:
        """Where signed requests get their token from; set once, because minting one needs this client.

        sign: how a request bears it, where that is not as a bearer token. ended: how a reply says that it is no longer
        good, where that is not a 401.
        """
        self._tokens = tokens
        self._sign, self._ended = sign or bearer, ended or refused_token

    def json(self, path: str, *, route: str, query: Mapping[str, str | int] | None = None) -> bytes:
        """GET, and the body as checked JSON bytes. Raises any PmsError; an unusable body is PmsMalformed."""
        reply = self.send(Call("GET", path, route, query or {}))
        return json_body(reply.body, reply.headers.get("content-type", ""))

    def text(self, path: str, *, route: str) -> str:
        """GET, and the body as a short text."""
        reply = self.send(Call("GET", path, route))
        return text_body(reply.body, reply.headers.get("content-type", ""))

    def once(self, method: str, path: str, *, route: str) -> bytes:
        """A request that is sent exactly once, whatever happens; the body as checked JSON bytes."""
        reply = self.send(Call(method, path, route, policy=ONCE))
        return json_body(reply.body, reply.headers.get("content-type", ""))

    def send(self, call: Call) -> Reply:
        """The answer of status 2xx, after as many attempts as the call's policy allows.

        Raises PmsError by what follows from the failure; PmsRateLimited where a wait would be too long for a run, or
        the vendor asked for none that was kept.
        """
        url = self._address(call)
        return with_retry(
            lambda: self._attempt(call, url),
            call.policy,
            sleep=self._tools.sleep,
            cancelled=self._tools.cancelled,
            on_retry=self._before_retry,
        )

    def close(self) -> None:
        self._transport.close()

    def _attempt(self, call: Call, url: str) -> Reply:
        if self._tools.cancelled():
            raise PmsCancelled()
        self._breaker.pass_on()
        try:
            reply = self._asked(call, url)
        except PmsUnavailable:
            self._breaker.note(answered=False)
            raise
        except (PmsCancelled, PmsRateLimited):
            raise  # of these some were never sent
        except PmsError:
            self._breaker.note(answered=True)
            raise
        self._breaker.note(answered=True)
        return reply

    def _asked(self, call: Call, url: str) -> Reply:
        """The reply of status 2xx, signed anew once where the token was refused."""
        if not call.signed:
            return self._judged(self._exchange(call, url), call)
        tokens = self._tokens
        assert tokens is not None, "a signed call before sign_with"
        token = tokens.get_valid_token()
        reply = self._exchange(self._with_token(call, token), url)
        if self._ended(reply) is not None:
            tokens.invalidate(token)
            if call.policy.attempts > 1:
                reply = self._exchange(self._with_token(call, tokens.get_valid_token()), url)
        if reply.status < 400 and (error := self._ended(reply)) is not None:
            raise error  # a log-in page passes for an answer
        return self._judged(reply, call)

    def _with_token(self, call: Call, token: str) -> Call:
        return replace(call, headers={**call.headers, **self._sign(token)})

    def _exchange(self, call: Call, url: str) -> Reply:
        """One request in its place of the limiter, logged."""
        if self._route_limits is not None:
            self._take_a_place(call, f"{self._limit_key} {call.route}", self._route_limits)
        self._take_a_place(call, self._limit_key, self._limits)
        began, said = clock.monotonic(), {"method": call.method, "route": call.route}
        try:
            reply = self._transport.exchange(
                call.method,
                url,
                headers=call.headers,
                body=call.body,
                deadline_s=call.deadline_s,
                fresh=call.policy.attempts == 1,
            )
            said["status"] = str(reply.status)
        except PmsError as error:
            said["reason"] = error.reason
            raise
        finally:
            log.debug("asked the PMS", extra=said | {"duration_ms": round((clock.monotonic() - began) * 1000)})
        self._warn_of_skew(reply)
        return reply

    def _take_a_place(self, call: Call, key: str, limits: Limits) -> None:
        self._tools.limiter.acquire(
            key,
            self._tools.connection,
            limits,
            manual=self._tools.manual or call.urgent,
            max_wait_s=call.max_wait_s,
            cancelled=self._tools.cancelled,
        )

    def _judged(self, reply: Reply, call: Call) -> Reply:
        """The reply of status 2xx; else the error that says what follows."""
        status = reply.status
        if 200 <= status < (400 if call.redirects else 300):
            return reply
        if 300 <= status < 400:
            raise PmsUntrusted("answered with a redirect, which is not followed", reason="redirect")
        if self._classify and (error := self._classify(reply)):
            raise error
        if status in _SIMPLE_ERRORS:
            raise _SIMPLE_ERRORS[status](f"answered {status}")
        asked = retry_after(reply.headers.get("retry-after"), reply.headers.get("date"))
        if status == 429:
            if reply.headers.get("retry-after") and asked is None:
                log.warning("a 429 whose Retry-After says nothing usable")
            asked = self._unsaid_pause_s if asked is None else asked
            if asked is not None:
                self._tools.limiter.handle_rate_limit_response(self._limit_key, asked)
            raise PmsRateLimited("answered 429", retry_after_s=asked, status=status)
        if status == 408 or status >= 500:
            raise PmsUnavailable(f"answered {status}", reason="server_error", retry_after_s=asked, status=status)
        raise PmsBadRequest(f"answered {status}") if status >= 400 else PmsMalformed(f"answered {status}")

    def _before_retry(self, error: PmsRetryable, seconds: float) -> None:
        if error.status == 429 and error.retry_after_s is None:  # nobody said how long: as long as we wait ourselves
            self._tools.limiter.handle_rate_limit_response(self._limit_key, seconds)

    def _address(self, call: Call) -> str:
        url = self._base + call.path if call.path.startswith("/") else call.path
        if _origin(url) not in self._origins:
            raise PmsUntrusted("an address that is not the vendor's", reason="address")
        return f"{url}?{query_of(call.query)}" if call.query else url

    def _warn_of_skew(self, reply: Reply) -> None:
        """Say once per run that the vendor's clock and ours differ: tokens and retry dates depend on both (F41)."""
        if self._skew_checked:
            return
        self._skew_checked = True
        try:
            theirs = parsedate_to_datetime(reply.headers.get("date", ""))
        except (ValueError, TypeError, OverflowError, IndexError):
            return
        skew = (clock.now() - (theirs if theirs.tzinfo else theirs.replace(tzinfo=UTC))).total_seconds()
        if abs(skew) > _SKEW_S:
            log.warning("the vendor's clock and ours differ", extra={"wait_s": round(skew)})


def bearer(token: str) -> Mapping[str, str]:
    """How a request bears its token at most vendors'."""
    return {"Authorization": f"Bearer {token}"}


def refused_token(reply: Reply) -> PmsError | None:
    """Most vendors refuse a token that is no longer good with a 401."""
    return PmsAuthFailed("answered 401") if reply.status == 401 else None


def _origin(url: str) -> tuple[str, str, int | None]:
    try:
        parts = urlsplit(url)
        port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    except ValueError:
        return ("", "", None)
    return (parts.scheme, (parts.hostname or "").lower(), port)


def _version() -> str:
    try:
        return version("runsheet")
    except PackageNotFoundError:  # run from a copy that was never installed
        return "0"
