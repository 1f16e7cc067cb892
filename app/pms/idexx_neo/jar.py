"""Cookies as they travel: a jar is one line, “name=value; name=value”, and is never looked into beyond their names.

Which cookie is the session's is not public (pms/idexx-neo.md §1), so all of them are kept and sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

#: Between two Set-Cookie headers that were joined: a comma before the next name, but not the one inside a date.
_NEXT = re.compile(r",\s*(?=[^;,=\s]+=)")
_PAIR = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+=[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e\"]*")
#: What the name of a session's cookie contains (seen in code: odis/lib).
_SESSION = ("session", "auth")
_LONGEST = 4096


def of(pairs: Iterable[tuple[str, str]]) -> str:
    return "; ".join(f"{name}={value}" for name, value in pairs)


def pairs(jar: str) -> dict[str, str]:
    found = (one.strip().partition("=") for one in jar.split(";"))
    return {name: value for name, equals, value in found if equals}


def after(jar: str, headers: Mapping[str, str]) -> str:
    """The jar after an answer with these headers; a cookie that was set empty, or to have ended, is gone."""
    kept = pairs(jar)
    for one in _NEXT.split(headers.get("set-cookie", "")):
        name, equals, value = one.partition(";")[0].strip().partition("=")
        if not equals:
            continue
        kept.pop(name, None)
        if value and not re.search(r";\s*max-age=(0|-\d+)\s*(;|$)", one, re.IGNORECASE):
            kept[name] = value
    return of(kept.items())


def pasted(text: str) -> str | None:
    """What somebody copied out of a browser as one jar, with or without the header's name; None where it cannot be."""
    line = text.strip().removeprefix("Cookie:").removeprefix("cookie:").strip().rstrip(";")
    found = [one.strip() for one in line.split(";")]
    if not line or len(line) > _LONGEST or not all(_PAIR.fullmatch(one) for one in found):
        return None
    return "; ".join(found)


def has_session(jar: str) -> bool:
    """Half of the test for a log-in that worked (seen in code): a cookie of a session's name."""
    return any(word in name.lower() for name in pairs(jar) for word in _SESSION)
