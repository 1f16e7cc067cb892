"""Records of a page, read one by one: a bad one is set aside with its place and the reason, the others go on.

msgspec decodes and checks; what it does not see is looked for here: a key given twice (it keeps the last, F27), and
records whose text is no legal JSON, a lone surrogate or NaN (it refuses the whole page, F22, F25).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, TypeVar

import msgspec

from app.pms.errors import PmsMalformed
from app.pms.port import Rejected

Record = TypeVar("Record")

#: How records are read, by this file and by the adapters. Raise it when any of them learns to read what it set aside:
#: every record set aside by another version is then tried once more (P15).
VERSION = 1

_MISSING = re.compile(r"missing required field `([^`]+)`")
_BLANKS = re.compile(r"[ \t\r\n]*")
#: Accepts what the stdlib's parser accepts beyond JSON, and never fails on a number's size.
_lenient = json.JSONDecoder(parse_int=len, parse_float=len, parse_constant=len)
_plain = msgspec.json.Decoder()


class RowFault(Exception):
    """One record cannot be read. `path` within the record, without the value; `reason` one word.

    beside: another record that is to blame and has to be kept with it (a booking's side-loaded patient).
    """

    def __init__(self, path: str, reason: str, beside: bytes | None = None) -> None:
        self.path = path
        self.reason = reason
        self.beside = beside
        super().__init__(f"{path}: {reason}")


class _OnlyId(msgspec.Struct):
    id: str | int


_only_id = msgspec.json.Decoder(_OnlyId)


def read(decoder: msgspec.json.Decoder[Record], raw: bytes) -> Record:
    """The record. Raises RowFault: missing, wrong_type, out_of_range, invalid, not_json."""
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError as error:
        raise fault_of(error) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise RowFault("$", "not_json") from None


def fault_of(error: msgspec.ValidationError) -> RowFault:
    """msgspec's sentence as a path and a word; it names types and fields, never values."""
    what, _, where = str(error).partition(" - at `")
    path = where.rstrip("`") or "$"
    if missing := _MISSING.search(what):
        return RowFault(f"{path}.{missing[1]}", "missing")
    if "out of range" in what:
        return RowFault(path, "out_of_range")
    return RowFault(path, "wrong_type" if what.startswith("Expected `") and "got" in what else "invalid")


class DoubleKeys:
    """Refuses records in which an object names a member twice: nobody knows which one holds (F27).

    Taking every record apart would cost more than reading it. Records of one shape have one number of members, so the
    exact look is taken at the first of each shape and count only; a doubled member makes one too many. (A record that
    leaves one member out and doubles another slips through, with the last value, as everywhere.)
    Safe to share between threads.
    """

    _MOST_SHAPES = 2000

    def __init__(self) -> None:
        self._clean: set[tuple[int, ...]] = set()

    def refuse(self, raw: bytes, *shape: int) -> None:
        """shape: the lengths of the record's lists and whatever else adds members. Raises RowFault(dup_key)."""
        seen = (raw.count(b'":'), *shape)
        if seen in self._clean and b"\\u00" not in raw:  # letters written as escapes could hide a name
            return
        json.loads(raw, object_pairs_hook=_refuse_doubled, parse_int=len, parse_constant=len)
        if len(self._clean) < self._MOST_SHAPES:
            self._clean.add(seen)


def _refuse_doubled(pairs: list[tuple[str, Any]]) -> None:
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        doubled = next(name for name in names if names.count(name) > 1)
        raise RowFault(f"$..{doubled[:100]}", "dup_key")


def rejected(raw: bytes, fault: RowFault) -> Rejected:
    """The record as it is set aside; its id where that much can be read."""
    try:
        external_id: str | None = str(_only_id.decode(raw).id)[:255]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        external_id = None
    payload = raw if fault.beside is None else b'{"record":%b,"beside":%b}' % (raw, fault.beside)
    return Rejected(external_id, fault.path[:255], fault.reason, payload)


def envelope(decoder: msgspec.json.Decoder[Record], body: bytes) -> tuple[Record, dict[bytes, bytes]]:
    """A page's outer shape, and the records on it that are no JSON: placeholder -> what was sent.

    Raises PmsMalformed with the path where the shape is wrong. A missing list is never an empty one.
    """
    mended: dict[bytes, bytes] = {}
    try:
        try:
            return decoder.decode(body), mended
        except msgspec.ValidationError:
            raise
        except msgspec.DecodeError:
            return decoder.decode(_mend(body, mended)), mended
    except msgspec.ValidationError as error:
        fault = fault_of(error)
        raise PmsMalformed(f"{fault.reason} at {fault.path}", path=fault.path) from None
    except RecursionError:
        raise PmsMalformed("nested too deep", reason="depth") from None
    except ValueError:  # msgspec's and the stdlib's own errors both are one
        raise PmsMalformed("an answer that is not JSON") from None


def _mend(body: bytes, mended: dict[bytes, bytes]) -> bytes:
    """The body with every element of its lists that is no JSON replaced by a placeholder text."""
    text = body.decode("utf-8")
    kept, upto = [], 0
    for start, end in _elements(text):
        raw = text[start:end].encode("utf-8")
        try:
            _plain.decode(raw)
        except (msgspec.DecodeError, RecursionError):
            placeholder = b'"unreadable %d"' % len(mended)
            mended[placeholder] = raw
            kept += [text[upto:start].encode(), placeholder]
            upto = end
    return b"".join([*kept, text[upto:].encode()])


def _elements(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of every element of the outermost list, or of the lists that are members of the outer object."""
    at = _skip(text, 0)
    if text[at] == "[":
        yield from _list(text, at)
        return
    at = _skip(text, at + 1)
    while text[at] == '"':
        _, at = _lenient.raw_decode(text, at)
        at = _skip(text, _skip(text, at) + 1)  # past the colon
        if text[at] == "[":
            yield from _list(text, at)
        _, at = _lenient.raw_decode(text, at)
        at = _skip(text, at)
        if text[at] != ",":
            return
        at = _skip(text, at + 1)


def _list(text: str, at: int) -> Iterator[tuple[int, int]]:
    at = _skip(text, at + 1)
    while text[at] != "]":
        _, end = _lenient.raw_decode(text, at)
        yield at, end
        at = _skip(text, end)
        if text[at] == ",":
            at = _skip(text, at + 1)


def _skip(text: str, at: int) -> int:
    """The next place that is not a blank. Raises ValueError at the end of the text."""
    found = _BLANKS.match(text, at)
    assert found is not None
    if found.end() >= len(text):
        raise ValueError("the text ends too early")
    return found.end()
