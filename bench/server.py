"""A Gentu that only hands out bytes it made before: faster than any client, so that the client is what is measured.

`python -m bench.server APPOINTMENTS PRACTITIONERS LATENCY_MS` prints its port. `POST /mode/1` serves changed pages.
Above `MOST_KEPT` appointments pages are made when they are asked for: memory is measured there, not time.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Protocol
from urllib.parse import parse_qs, urlsplit

from bench import pages

MOST_KEPT = 200_000
TOKEN = b'{"access_token":"bench","expires_in":3599,"token_type":"Bearer"}'


class Answering(Protocol):
    """What a fake knows: the whole answer to a request, by its head."""

    def to(self, line: bytes) -> bytes: ...


def response(body: bytes) -> bytes:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


class Answers:
    """Every answer there is, by request line."""

    def __init__(self, size: pages.Size) -> None:
        self.mode = 0
        self.token = response(TOKEN)
        self.tenant = response(b'{"tenantId":"%s","timezone":"Australia/Melbourne"}' % pages.TENANT.encode())
        self.practitioners = response(pages.practitioners(size))
        self.types = response(pages.types())
        self._size = size
        self._places = {
            (pages.practitioner(number), pages.cursor(number, index) if index else ""): (number, index)
            for number in range(size.practitioners)
            for index in range(size.pages_each)
        }
        self._kept: dict[tuple[int, int, int], bytes] = {}
        if size.appointments <= MOST_KEPT:
            self._kept = {(mode, *at): self._made(mode, *at) for mode in (0, 1) for at in self._places.values()}

    def _made(self, mode: int, number: int, index: int) -> bytes:
        return response(pages.page(self._size, number, index, changed=bool(mode)))

    def _page(self, practitioner: str, cursor: str) -> bytes:
        place = self._places[practitioner, cursor]
        return self._kept.get((self.mode, *place)) or self._made(self.mode, *place)

    def to(self, line: bytes) -> bytes:
        target = line.split(b" ", 2)[1].decode()
        path = urlsplit(target)
        if path.path.endswith("/appointments"):
            query = parse_qs(path.query)
            return self._page(query["practitionerId"][0], query.get("cursor", [""])[0])
        if path.path.startswith("/mode/"):
            self.mode = int(path.path.rsplit("/", 1)[1])
            return response(b"{}")
        if path.path.endswith("/oauth2/token"):
            return self.token
        if path.path.endswith("/practitioners"):
            return self.practitioners
        return self.types if path.path.endswith("/appointment-types") else self.tenant


class Connection(asyncio.Protocol):
    def __init__(self, answers: Answering, latency_s: float) -> None:
        self._answers, self._latency_s = answers, latency_s
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while b"\r\n\r\n" in self._buffer:
            head, _, rest = self._buffer.partition(b"\r\n\r\n")
            length = _body_length(head)
            if len(rest) < length:
                return
            self._buffer = rest[length:]
            answer = self._answers.to(head)
            if self._latency_s:
                asyncio.get_running_loop().call_later(self._latency_s, self._transport.write, answer)
            else:
                self._transport.write(answer)


def _body_length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            return int(line.split(b":")[1])
    return 0


async def serve(answers: Answering, latency_s: float) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(answers, latency_s), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    # Ends with whoever started it: standard input is a pipe it holds.
    await loop.run_in_executor(None, sys.stdin.buffer.read)


if __name__ == "__main__":
    wanted = pages.Size(int(sys.argv[1]), int(sys.argv[2]))
    asyncio.run(serve(Answers(wanted), float(sys.argv[3]) / 1000))
