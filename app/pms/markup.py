"""Clinical texts without their markup: vendors keep notes as HTML or as plain text, and do not say which."""

from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser

#: A tag begins with a letter right behind the bracket: “HR <60, T >39” is no markup.
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>|<!--")
_LINES = frozenset({"br", "p", "div", "li", "tr", "ul", "ol", "table", "h1", "h2", "h3", "h4", "h5", "h6"})
_UNSEEN = frozenset({"script", "style", "head", "template"})
_BLANKS = re.compile(r"[ \t\r\f\v\u00a0]+")
_MANY_LINES = re.compile(r"\n{3,}")


def plain(text: str | None) -> str | None:
    """The text as a person reads it, lines kept; None where nothing is left."""
    if not text:
        return None
    found = _seen_of(text) if _TAG.search(text) else unescape(text)
    lines = (_BLANKS.sub(" ", line).strip() for line in found.replace("\x00", "").split("\n"))
    return _MANY_LINES.sub("\n\n", "\n".join(lines)).strip() or None


def _seen_of(text: str) -> str:
    reader = _Reader()
    reader.feed(text)
    reader.close()
    return "".join(reader.seen)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.seen: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 - the parser's
        if tag in _UNSEEN:
            self._hidden += 1
        elif tag in _LINES:
            self.seen.append("\n- " if tag == "li" else "\n")
        elif tag in ("td", "th"):
            self.seen.append(" ")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _UNSEEN:
            self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if tag in _UNSEEN:
            self._hidden = max(0, self._hidden - 1)
        elif tag in _LINES and tag not in ("br", "li"):
            self.seen.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.seen.append(data.replace("\n", " "))
