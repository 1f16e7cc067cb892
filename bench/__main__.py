"""`make bench`: every measurement in turn with its bare minimum and its peer, written as ratios to docs/performance.md.

`make bench BENCH_ARGS="--only sync --count 5000 --rounds 1"` measures one part, quickly, and prints it without
touching the page. `--count` scales every size alike: 100000 is the page's.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from pathlib import Path

from bench.progress import say
from bench.report import KINDS, PARTS, Asked

PAGE = Path(__file__).parent.parent / "docs" / "performance.md"

HEAD = """# Performance

Written by `make bench`; do not edit by hand. Every figure is a ratio of two programs measured in turn, in the same run
on the same machine ({cores} cores); each table says over how many rounds. Seconds are not shown, because they would say
more about the machine than about Runsheet.
"""


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--only", choices=PARTS, action="append", help="measure this part (repeatable) and print it")
    parser.add_argument("--rounds", type=int, help="alternating rounds of each (default: each part's own)")
    parser.add_argument("--count", type=int, help="appointments of a sync; the other sizes follow (default 100000)")
    parser.add_argument("--db", choices=KINDS, help="only on this database")
    told = parser.parse_args()
    asked = replace(sized(told.count), rounds=told.rounds, kinds=(told.db,) if told.db else tuple(KINDS))
    parts = []
    for name in told.only or PARTS:
        say(f"{name} ...")
        parts.append(PARTS[name].tell(asked))
        print(parts[-1], flush=True)
    if asked == Asked() and not told.only:
        PAGE.write_text("\n".join([HEAD.format(cores=os.cpu_count()), *parts]))
        say(f"written to {PAGE}")
    else:
        say("not written to the page, which shows the whole measurement only")


def sized(count: int | None) -> Asked:
    """Every size in the proportion of the page's."""
    whole = Asked()
    if count is None:
        return whole
    share = count / whole.count
    sizes = {
        name: max(200, int(getattr(whole, name) * share)) for name in ("count", "small", "large", "fetched", "cases")
    }
    return replace(whole, **sizes)


if __name__ == "__main__":
    main()
