"""One HTTP exchange over requests, with hard bounds: total time, decoded size, no redirect, TLS always verified.

requests' own timeout is per read: a server that drips a byte every half second is never cut off (F4). Here every read
of the socket, headers and chunk lines included, gets only what is left of the exchange's deadline.
"""

from __future__ import annotations

import http.client
import io
import logging
import socket
import ssl
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from app import clock
from app.pms import addresses
from app.pms.errors import PmsError, PmsMalformed, PmsUnavailable, PmsUntrusted

CONNECT_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 15.0
DEADLINE_S = 30.0
#: Decoded bytes of one answer; a gzip bomb of 190 kB would otherwise unfold to 200 MB (F19, F20).
BODY_CAP = 10 * 1024 * 1024
_CHUNK = 64 * 1024

# urllib3 writes whole addresses, ids and queries included, at DEBUG and even at WARNING.
logging.getLogger("urllib3").setLevel(logging.ERROR)


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back: any status, the decoded body, headers by lower-case name."""

    status: int
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)


class _Until(threading.local):
    """When the exchange of this thread must be over (monotonic seconds)."""

    at: float = 0.0

    def left(self) -> float:
        left = self.at - clock.monotonic()
        if left <= 0:
            raise TimeoutError("deadline")
        return left


_until = _Until()


class _TimedReads(io.RawIOBase):
    """The socket's bytes; each read may take what is left of the deadline, at most READ_TIMEOUT_S."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__()
        self._sock = sock
        self._raw = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(min(READ_TIMEOUT_S, _until.left()))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _TimedResponse(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp.close()
        self.fp = io.BufferedReader(_TimedReads(sock), _CHUNK)


class _Checked(HTTPConnection):
    """Connects to the very address that was checked: the name is not asked a second time."""

    public_only = False

    def _new_conn(self) -> socket.socket:
        try:
            found = addresses.checked(self.host, self.port or 0, self.public_only)
        except socket.gaierror as error:
            raise urllib3.exceptions.NameResolutionError(self.host, self, error) from error
        *others, last = found or [self.host]
        for self._dns_host in others:
            with suppress(urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError):
                return super()._new_conn()
        self._dns_host = last
        return super()._new_conn()


class _TimedHttp(_Checked):
    response_class = _TimedResponse


class _TimedHttps(_Checked, HTTPSConnection):
    response_class = _TimedResponse


class _PublicHttp(_TimedHttp):
    public_only = True


class _PublicHttps(_TimedHttps):
    public_only = True


class _HttpPool(HTTPConnectionPool):
    ConnectionCls = _TimedHttp


class _HttpsPool(HTTPSConnectionPool):
    ConnectionCls = _TimedHttps


class _PublicHttpPool(HTTPConnectionPool):
    ConnectionCls = _PublicHttp


class _PublicHttpsPool(HTTPSConnectionPool):
    ConnectionCls = _PublicHttps


class _TimedAdapter(HTTPAdapter):
    _pools: Mapping[str, type[HTTPConnectionPool]] = {"http": _HttpPool, "https": _HttpsPool}

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = dict(self._pools)


class _PublicAdapter(_TimedAdapter):
    _pools = {"http": _PublicHttpPool, "https": _PublicHttpsPool}  # noqa: RUF012 - said of the class above


class Transport:
    """Exchanges, one session a thread: connections are kept alive, and never shared between threads.

    public_only: no connection into a private network, whoever's host it is.
    """

    def __init__(self, user_agent: str, *, public_only: bool = False) -> None:
        self._adapter = _PublicAdapter if public_only else _TimedAdapter
        self._headers = {"User-Agent": user_agent, "Accept": "application/json", "Accept-Encoding": "gzip, deflate"}
        self._local = threading.local()
        self._sessions: list[requests.Session] = []
        self._lock = threading.Lock()

    def exchange(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        deadline_s: float = DEADLINE_S,
        fresh: bool = False,
    ) -> Reply:
        """Send once, whatever happens, and return the answer of any status.

        fresh: on a connection of its own, because one kept alive may die under the request and leave it unknown
        whether it arrived.
        Raises PmsUnavailable (dns, connect, deadline, interrupted), PmsUntrusted (tls, address), PmsMalformed
        (too_large, encoding). Nothing of a broken answer is kept.
        """
        session = self._open() if fresh else self._of_thread()
        _until.at = clock.monotonic() + deadline_s
        try:
            with session.request(
                method,
                url,
                headers=dict(headers or {}),
                data=body,
                timeout=(min(CONNECT_TIMEOUT_S, deadline_s), min(READ_TIMEOUT_S, deadline_s)),
                allow_redirects=False,
                stream=True,
            ) as response:
                received = _read(response)
                names = {name.lower(): value for name, value in response.headers.items()}
                return Reply(response.status_code, received, names)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise _told(error) from None  # the text of these errors holds the whole address
        finally:
            if fresh:
                session.close()

    def close(self) -> None:
        with self._lock:
            for session in self._sessions:
                session.close()
            self._sessions.clear()
            self._local = threading.local()

    def _of_thread(self) -> requests.Session:
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = self._open()
            with self._lock:
                self._sessions.append(session)
        return session

    def _open(self) -> requests.Session:
        session = requests.Session()
        session.trust_env = False  # no proxy, no .netrc, no CA bundle from the environment
        session.headers.clear()
        session.headers.update(self._headers)
        for scheme in ("http://", "https://"):
            session.mount(scheme, self._adapter(max_retries=0, pool_connections=2, pool_maxsize=1))
        return session


def _read(response: requests.Response) -> bytes:
    """The decoded body, given up within a chunk of the cap."""
    announced = response.headers.get("Content-Length", "")
    if announced.isdigit() and int(announced) > BODY_CAP:
        raise PmsMalformed("larger than we accept", reason="too_large")
    chunks, size = [], 0
    for chunk in response.iter_content(_CHUNK):
        size += len(chunk)
        if size > BODY_CAP:
            raise PmsMalformed("larger than we accept", reason="too_large")
        chunks.append(chunk)
    return b"".join(chunks)


#: What passes by itself, most telling first: the errors, our reason, whether the request may have arrived.
_OUTAGES: tuple[tuple[tuple[type[BaseException], ...], str, bool], ...] = (
    ((urllib3.exceptions.NameResolutionError, socket.gaierror), "dns", False),
    ((requests.ConnectTimeout, urllib3.exceptions.NewConnectionError, ConnectionRefusedError), "connect", False),
    ((requests.ReadTimeout, urllib3.exceptions.ReadTimeoutError, TimeoutError), "deadline", True),
    ((requests.exceptions.ChunkedEncodingError, urllib3.exceptions.IncompleteRead), "interrupted", True),
    ((ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError), "interrupted", True),
)
_NO_TRUST = (ssl.SSLError, ssl.CertificateError, urllib3.exceptions.SSLError)
_NO_ADDRESS = (
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidSchema,
    requests.exceptions.MissingSchema,
    urllib3.exceptions.LocationParseError,
)
_NO_BODY = (requests.exceptions.ContentDecodingError, urllib3.exceptions.DecodeError)


def _told(error: Exception) -> PmsError:
    """Our word for a failed exchange. The vendor's address and our token stand in none of them."""
    causes = _causes(error)

    def has(kinds: tuple[type[BaseException], ...]) -> bool:
        return any(isinstance(cause, kinds) for cause in causes)

    if has(_NO_BODY):
        return PmsMalformed("the body does not decompress", reason="encoding")
    if has(_NO_ADDRESS):
        return PmsUntrusted("not an address", reason="address")
    for kinds, reason, sent in _OUTAGES:
        if has(kinds):
            return PmsUnavailable(reason=reason, sent=sent)
    if has(_NO_TRUST):
        return PmsUntrusted("the certificate or the TLS handshake was not acceptable", reason="tls")
    return PmsUnavailable("broken off before an answer", reason="connect")


def _causes(error: BaseException) -> list[BaseException]:
    """The error and everything it wraps: requests wraps urllib3, which wraps the socket's."""
    found: list[BaseException] = []
    pending: list[object] = [error]
    while pending:
        one = pending.pop()
        if isinstance(one, BaseException) and one not in found:
            found.append(one)
            pending += [*one.args, getattr(one, "reason", None), one.__cause__, one.__context__]
    return found
