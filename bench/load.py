"""A load of keep-alive connections from one process: as little work per request as Python allows."""

from __future__ import annotations

import selectors
import socket
import time
from dataclasses import dataclass, field


@dataclass
class Loaded:
    """What came back. `statuses` counts answers by their status."""

    requests_per_second: float
    statuses: dict[int, int] = field(default_factory=dict)


class _Client:
    """One connection that asks again as soon as it was answered."""

    def __init__(self, port: int, request: bytes) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._request, self._buffer, self._wanted = request, b"", -1
        self.status = 0

    def ask(self) -> None:
        self._buffer, self._wanted = b"", -1
        self.socket.sendall(self._request)

    def answered(self) -> bool:
        """Read what is there; whether the answer is whole."""
        data = self.socket.recv(262_144)
        if not data:
            raise ConnectionError("the server closed a connection")
        self._buffer += data
        if self._wanted < 0:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return False
            head = self._buffer[:end].lower()
            self.status = int(head[9:12])
            at = head.find(b"content-length:")
            length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            self._wanted = end + 4 + length
        return len(self._buffer) >= self._wanted


def load(port: int, path: str, headers: dict[str, str], *, connections: int = 8, seconds: float = 3.0) -> Loaded:
    """Ask for `path` over that many connections for so long."""
    lines = [f"GET {path} HTTP/1.1", "Host: 127.0.0.1", *(f"{name}: {value}" for name, value in headers.items())]
    request = ("\r\n".join(lines) + "\r\n\r\n").encode()
    clients = [_Client(port, request) for _ in range(connections)]
    statuses: dict[int, int] = {}
    with selectors.DefaultSelector() as waiting:
        for client in clients:
            waiting.register(client.socket, selectors.EVENT_READ, client)
            client.ask()
        began = time.perf_counter()
        while time.perf_counter() - began < seconds:
            for key, _ in waiting.select(timeout=1):
                client = key.data
                if client.answered():
                    statuses[client.status] = statuses.get(client.status, 0) + 1
                    client.ask()
        took = time.perf_counter() - began
    for client in clients:
        client.socket.close()
    return Loaded(sum(statuses.values()) / took, statuses)
