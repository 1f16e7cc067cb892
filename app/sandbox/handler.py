"""HTTP/1.1 with connections that stay open, and the faults that happen below HTTP.

Werkzeug's own handler closes after every answer. This one reads each request's body whole before the application
sees it, so that the next request on the same connection always begins where it should.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from werkzeug.serving import WSGIRequestHandler
from werkzeug.test import run_wsgi_app

from app import clock

WIRE = "runsheet.sandbox.wire"
_LARGEST_BODY = 16 * 2**20
#: A connection nobody uses for this long is closed.
_IDLE_S = 75


@dataclass(slots=True)
class Wire:
    """What the application asks of the connection below it."""

    hang_up: bool = False
    cut_at: float | None = None  # the share of the body that is sent before the connection closes
    drip_s: float | None = None  # seconds between two bytes


class KeepAliveHandler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"
    #: Headers and body leave in one packet each; without this the second waits 40 ms for an acknowledgement.
    disable_nagle_algorithm = True
    timeout = _IDLE_S

    def run_wsgi(self) -> None:
        wire = Wire()
        self.environ = environ = self.make_environ()
        environ[WIRE] = wire
        if self.headers.get("Expect", "").lower() == "100-continue":
            self.send_response_only(HTTPStatus.CONTINUE)
            self.end_headers()
        if int(environ.get("CONTENT_LENGTH") or 0) > _LARGEST_BODY:
            self.send_error(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            self.close_connection = True
            return
        body = environ["wsgi.input"]
        length = environ.get("CONTENT_LENGTH")
        if environ.get("wsgi.input_terminated"):
            environ["wsgi.input"] = io.BytesIO(body.read(_LARGEST_BODY))
        else:
            environ["wsgi.input"] = io.BytesIO(body.read(int(length)) if length else b"")
        chunks, status, headers = run_wsgi_app(self.server.app, environ)
        try:
            content = b"".join(chunks)
            self._answer(wire, status, list(headers.items()), content)
        except (ConnectionError, TimeoutError):
            self.close_connection = True
        finally:
            if hasattr(chunks, "close"):
                chunks.close()

    def _answer(self, wire: Wire, status: str, headers: list[tuple[str, str]], content: bytes) -> None:
        if wire.hang_up:
            self.close_connection = True
            return
        code, _, phrase = status.partition(" ")
        self.send_response(int(code), phrase)
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        if wire.cut_at is not None:
            content = content[: int(len(content) * wire.cut_at)]
            self.close_connection = True
        if wire.drip_s is None:
            self.wfile.write(content)
            return
        for byte in content:
            self.wfile.write(bytes((byte,)))
            clock.sleep(wire.drip_s)

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - werkzeug's name
        """Say nothing: traffic is kept where it can be asked for, and standard output belongs to the caller."""
