"""Notes that come as RTF, as plain text (pms/cornerstone-avimark.md §5: reason and notes)."""

from __future__ import annotations

import re

#: Groups that hold no text of the note: fonts, colours, styles, who wrote it, pictures.
_ASIDE = re.compile(r"\{\\(?:\*|fonttbl|colortbl|stylesheet|info|pict)(?:[^{}]|\{[^{}]*\})*\}")
_BREAK = re.compile(r"\\(?:par|line)\b ?")
_SIGN = re.compile(r"\\'([0-9a-fA-F]{2})")
_WORD = re.compile(r"\\[a-zA-Z]+-?\d* ?|\\[~_-]")
_ESCAPED = re.compile(r"\\([\\{}])")


def as_text(value: str) -> str:
    r"""The words of `{\rtf1 …}`; what is no RTF stays as it is."""
    if not value.lstrip().startswith("{\\rtf"):
        return value
    text = _ASIDE.sub("", value)
    text = _SIGN.sub(lambda found: bytes.fromhex(found[1]).decode("cp1252", "replace"), _BREAK.sub("\n", text))
    kept = _ESCAPED.sub(lambda found: f"\x01{ord(found[1])}\x02", text)
    kept = _WORD.sub("", kept).replace("{", "").replace("}", "")
    return re.sub(r"\x01(\d+)\x02", lambda found: chr(int(found[1])), kept).strip()
