"""A patient nobody may meet outside the database, and where to look for them."""

from __future__ import annotations

import base64
import binascii
import contextlib
import zlib
from typing import Any

PLANTED = ("Zephyrine", "Quillfeather", "zephyrine.q@example.com", "0491 570 156", "1971-03-09", "knee, left")
#: The same, as the simulator's book takes it.
PERSON = dict(zip(("given", "family", "email", "phone", "born"), PLANTED, strict=False))
COMMENT = PLANTED[-1]


def everything_in(redis: Any) -> bytes:
    """All keys with all they hold, as it lies there and unpacked."""
    held: list[bytes] = []
    for key in redis.scan_iter("*"):
        kind = redis.type(key).decode()
        read = {
            "string": lambda k: [redis.get(k)],
            "hash": lambda k: [part for pair in redis.hgetall(k).items() for part in pair],
            "list": lambda k: redis.lrange(k, 0, -1),
            "set": redis.smembers,
            "zset": lambda k: redis.zrange(k, 0, -1),
            "stream": lambda k: [part for _, told in redis.xrange(k) for pair in told.items() for part in pair],
        }[kind](key)
        held += [key, *read]
    return b"\n".join([*held, *(_unpacked(value) for value in held)])


def _unpacked(value: bytes) -> bytes:
    """RQ compresses a job's data, and wraps what it tells of an error in base64 as well."""
    for unwrap in (lambda packed: packed, base64.b64decode):
        with contextlib.suppress(zlib.error, binascii.Error):
            return zlib.decompress(unwrap(value))
    return b""
