"""What is being measured at the moment, on standard error: standard output holds the results."""

from __future__ import annotations

import sys
import time

_BEGAN = time.monotonic()


def say(words: str) -> None:
    minutes, seconds = divmod(int(time.monotonic() - _BEGAN), 60)
    print(f"[{minutes:02}:{seconds:02}] {words}", file=sys.stderr, flush=True)
