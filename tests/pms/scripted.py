"""A small HTTP server that answers by script, byte for byte: statuses, pauses, cut connections, lies about lengths.

It keeps a log of what it was asked and when, on its own clock.
"""

from __future__ import annotations

import json
import socket
import socketserver
import ssl
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from email.parser import BytesParser
from typing import Any
from urllib.parse import parse_qsl, urlsplit

#: A step of an answer: bytes to send, seconds to wait, or one of the two words.
RESET, CLOSE = "reset", "close"
Step = bytes | float | str
Answer = Sequence[Step]


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it arrived. `target` is raw; `query` is decoded; `port` is the client's, one for each connection."""

    method: str
    target: str
    headers: Message
    body: bytes
    at: float
    port: int

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))


def answer(
    status: int = 200, body: bytes | str | object = b"{}", *, kind: str = "application/json", **headers: str
) -> list[Step]:
    """One whole, honest answer. Header names with underscores for dashes."""
    raw = body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()
    lines = [f"HTTP/1.1 {status} Said", f"Content-Type: {kind}", f"Content-Length: {len(raw)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ["\r\n".join(lines).encode() + b"\r\n\r\n" + raw]


@dataclass
class Scripted:
    """The server's script and log. Answers queued for a path come first, then its standing answer, then 404."""

    url: str = ""
    connections: int = 0
    asked: list[Asked] = field(default_factory=list)
    _queued: dict[str, deque[Answer]] = field(default_factory=dict)
    _standing: dict[str, Callable[[Asked], Answer]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def queue(self, path: str, *answers: Answer) -> None:
        self._queued.setdefault(path, deque()).extend(answers)

    def stand(self, path: str, always: Answer | Callable[[Asked], Answer]) -> None:
        self._standing[path] = always if callable(always) else lambda _: always

    def times(self, path: str) -> list[float]:
        return [one.at for one in self.asked if one.path == path]

    def to(self, path: str) -> list[Asked]:
        return [one for one in self.asked if one.path == path]

    def _answer(self, asked: Asked) -> Answer:
        with self._lock:
            self.asked.append(asked)
            queued = self._queued.get(asked.path)
            if queued:
                return queued.popleft()
        return self._standing.get(asked.path, lambda _: answer(404, {"message": "no such thing"}))(asked)


class _Handler(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        try:
            while asked := self._read():
                if not self._play(self.server.script._answer(asked)):
                    return
        except (OSError, ssl.SSLError):
            return  # the client went away, as some tests want

    def _read(self) -> Asked | None:
        line = self.rfile.readline()
        if not line.strip():
            return None
        method, target, _ = line.decode().split(" ", 2)
        raw = b""
        while (header := self.rfile.readline()) not in (b"\r\n", b""):
            raw += header
        headers = BytesParser().parsebytes(raw)
        body = self.rfile.read(int(headers.get("Content-Length", 0)))
        return Asked(method, target, headers, body, time.monotonic(), self.client_address[1])

    def _play(self, steps: Answer) -> bool:
        """Whether the connection stays open."""
        for step in steps:
            if isinstance(step, bytes):
                self.wfile.write(step)
                self.wfile.flush()
            elif isinstance(step, float):
                time.sleep(step)
            else:
                if step == RESET:
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return False
        return True


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128
    block_on_close = False

    def __init__(self, script: Scripted, tls: ssl.SSLContext | None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script = script
        self._tls = tls
        self._open: set[socket.socket] = set()

    def get_request(self) -> tuple[Any, Any]:
        connection, peer = super().get_request()
        self.script.connections += 1
        connection.settimeout(10)
        if self._tls:
            try:
                connection = self._tls.wrap_socket(connection, server_side=True)
            except OSError:
                connection.close()
                raise
        self._open.add(connection)
        return connection, peer

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        self.close_request(request)

    def hang_up(self) -> None:
        for connection in list(self._open):
            with_suppressed(connection.shutdown, socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Silence: broken connections are what it is for."""


def with_suppressed(action: Callable[..., object], *args: object) -> None:
    try:
        action(*args)
    except OSError:
        return


@contextmanager
def scripted(tls: ssl.SSLContext | None = None) -> Iterator[Scripted]:
    """A running server on loopback; `url` has no path."""
    script = Scripted()
    server = _Server(script, tls)
    script.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield script
    finally:
        server.shutdown()
        server.hang_up()
        server.server_close()
        thread.join(2)
