"""`make bench`: every measurement in turn with its bare minimum and its peer, written as ratios to docs/performance.md.

`make bench BENCH_ARGS="--only memory"` measures one part anew and leaves the page's others as they are. With another
`--count` or number of `--rounds` it is a quick look, which is printed and leaves the page alone. `--count` scales every
size alike: 100000 is the page's.
"""

from __future__ import annotations

import argparse
import os
import re
from dataclasses import replace
from pathlib import Path

from bench.progress import say
from bench.report import KINDS, PARTS, Asked

PAGE = Path(__file__).parent.parent / "docs" / "performance.md"

HEAD = """# Performance

Written by `make bench`; only notes in bold are by hand. Every figure in a table is a ratio of two programs measured in
turn, in the same run on the same machine ({cores} cores); each part says over how many rounds. Seconds are not shown,
because they would say more about the machine than about Runsheet.
"""
#: Where a part of the page begins.
_PART = re.compile(r"^(?=## )", re.M)


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--only", choices=PARTS, action="append", help="measure this part (repeatable) and print it")
    parser.add_argument("--rounds", type=int, help="alternating rounds of each (default: each part's own)")
    parser.add_argument("--count", type=int, help="appointments of a sync; the other sizes follow (default 100000)")
    parser.add_argument("--db", choices=KINDS, help="only on this database")
    told = parser.parse_args()
    asked = replace(sized(told.count), rounds=told.rounds, kinds=(told.db,) if told.db else tuple(KINDS))
    parts = {}
    for name in told.only or PARTS:
        say(f"{name} ...")
        parts[name] = PARTS[name].tell(asked)
        print(parts[name], flush=True)
        if asked == Asked():  # as soon as it is there: the rest may take long
            PAGE.write_text(rewritten(PAGE.read_text(), parts[name]))
    say(f"written to {PAGE}" if asked == Asked() else "not written to the page, which shows whole measurements only")


def rewritten(page: str, part: str) -> str:
    """The page with this part in the place of the one of the same heading, or at its end; what is above, anew."""
    _, *parts = _PART.split(page)
    heading = part.partition("\n")[0]
    headings = [one.partition("\n")[0] for one in parts]
    if heading in headings:
        parts[headings.index(heading)] = part
    else:
        parts.append(part)
    return "\n".join([HEAD.format(cores=os.cpu_count()), *(f"{one.rstrip()}\n" for one in parts)])


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
