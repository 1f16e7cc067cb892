"""How Cliniko says “slow down”: a header with the second at which the next minute begins."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from app.pms.retry import LONGEST_DEFERRAL_S, retry_after
from app.pms.transport import Reply

#: After a 429 that names no time: the limit is by the minute (documented: INTRO), so until it is over. [assumed]
_MINUTE_S = 60.0
_EPOCH = re.compile(r"[0-9]{1,12}")


def pause_asked(reply: Reply, now: datetime) -> float:
    """Seconds a 429 asks for: `X-RateLimit-Reset` (documented: INTRO) or `Retry-After` (claimed by one client),
    whichever is later. The reset is taken against the answer's own clock where it tells it.
    """
    said = [retry_after(reply.headers.get("retry-after"), reply.headers.get("date"))]
    reset = (reply.headers.get("x-ratelimit-reset") or "").strip()
    if _EPOCH.fullmatch(reset):
        said.append(int(reset) - (_date(reply.headers.get("date")) or now).timestamp())
    usable = [one for one in said if one is not None and one > 0]
    return min(max(usable, default=_MINUTE_S), LONGEST_DEFERRAL_S)


def _date(text: str | None) -> datetime | None:
    try:
        at = parsedate_to_datetime(text or "")
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
