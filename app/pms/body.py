"""Bytes of an answer before anybody reads them: is this JSON at all, in one encoding, and not absurdly deep?

What the JSON means is for each vendor's wire.py.
"""

from __future__ import annotations

import re

from app.pms.errors import PmsMalformed

#: Levels of nesting; a legal page has about six.
MAX_DEPTH = 64

_BOM = b"\xef\xbb\xbf"
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_SAME_KIND = bytes.maketrans(b"{}", b"[]")
_STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_NUL = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")


def json_body(body: bytes, content_type: str = "") -> bytes:
    """The same JSON, without a byte order mark and without NULs in its texts. Nothing of it is parsed yet.

    NULs are dropped because PostgreSQL refuses them and SQLite does not: both must store the same.
    Raises PmsMalformed: empty_body, bad_envelope (HTML or no JSON), encoding (not UTF-8), depth.
    """
    text = body.removeprefix(_BOM).strip()
    if not text:
        raise PmsMalformed("an answer without a body", reason="empty_body")
    if "html" in content_type.lower() or text[:1] not in {b"{", b"["}:
        raise PmsMalformed("an answer that is not JSON", reason="bad_envelope")
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        raise PmsMalformed("an answer that is not UTF-8", reason="encoding") from None
    if _deeper_than(text, MAX_DEPTH):
        raise PmsMalformed(f"nested deeper than {MAX_DEPTH}", reason="depth")
    return _NUL.sub(rb"\1", text) if b"\\u0000" in text else text


def text_body(body: bytes, content_type: str = "") -> str:
    """A short text. Raises PmsMalformed where a web page came instead (a proxy's log-in, say)."""
    text = body.removeprefix(_BOM).decode("utf-8", "replace").strip()
    if "html" in content_type.lower() or text.startswith("<"):
        raise PmsMalformed("a web page instead of an answer", reason="bad_envelope")
    return text


def _deeper_than(text: bytes, levels: int) -> bool:
    """Whether brackets nest deeper. Peels pairs off layer by layer: a page of 50 kB costs some 50 µs, no recursion.

    Brackets within texts can spoil the peeling; only then are the texts taken out first, which is slower. What does not
    balance even so is no JSON, and for the parser to refuse.
    """
    left = _peeled(text, levels)
    return bool(left) and bool(_peeled(_STRINGS.sub(b"", text), levels, stuck=b""))


def _peeled(text: bytes, levels: int, stuck: bytes | None = None) -> bytes:
    """The brackets left after `levels` layers. Where they stop balancing before: `stuck`, or as they are (None)."""
    brackets = text.translate(_SAME_KIND, _NOT_BRACKETS)
    for _ in range(levels):
        peeled = brackets.replace(b"[]", b"")
        if len(peeled) == len(brackets):
            return brackets if stuck is None else stuck
        brackets = peeled
    return brackets
