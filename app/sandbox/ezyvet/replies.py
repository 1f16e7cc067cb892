"""What the vendor says: lists in their envelope, and errors as messages."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import uuid4

import msgspec
from flask import Response

from app import clock
from app.sandbox.ezyvet.cast import Record

JSON = "application/json"


def answer(body: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(body), status, content_type=JSON)


def error(text: str, status: int, kind: str = "InvalidRequestException") -> Response:
    messages = [{"level": "error", "type": kind, "text": text, "fields": []}]
    return answer({"meta": {"transaction_id": str(uuid4())}, "items": [], "messages": messages}, status)


def envelope(resource: str, records: Sequence[object], page: int, limit: int, total: int) -> Record:
    """A page of a list; its counts are texts, as they often are."""
    return {
        "meta": {
            "timestamp": int(clock.now().timestamp()),
            "items_page": str(page),
            "items_page_total": str(-(-total // limit)),
            "items_page_size": str(len(records)),
            "items_total": str(total),
            "transaction_id": str(uuid4()),
        },
        "items": [{resource: record} for record in records],
        "messages": [],
    }


def said(record: Record, version: int) -> Record:
    """A record as that version says it: v1 makes texts of everything, "" of null and "1" of true."""
    return {name: _text(value) for name, value in record.items()} if version == 1 else dict(record)


def _text(value: object) -> object:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(int(value))
    return str(value) if isinstance(value, int | float) else value
