"""Lock files hold hashes and no addresses; what pyproject.toml pins, they pin alike."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ("requirements.lock", "requirements-dev.lock", "bench/peer/requirements.lock", "foreign/requirements.lock")


def pins(name: str) -> dict[str, str]:
    """Package -> version of a lock file."""
    text = (ROOT / name).read_text()
    return {match[1].lower(): match[2] for match in re.finditer(r"^([\w.-]+)==([^\s;\\]+)", text, re.M)}


def faults() -> list[str]:
    """Every reason to refuse the lock files."""
    found = []
    for name in LOCKS:
        text = (ROOT / name).read_text()
        if "://" in text or "index-url" in text or "find-links" in text:
            found.append(f"{name} names an address")
        if any("==" in block and "--hash=" not in block for block in re.split(r"\n(?=\S)", text)):
            found.append(f"{name} has an entry without a hash")
    runtime, dev = pins("requirements.lock"), pins("requirements-dev.lock")
    found += [
        f"{name} is {version} for running, {dev.get(name)} for testing"
        for name, version in runtime.items()
        if dev.get(name) != version
    ]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for requirement in project["dependencies"]:
        match = re.match(r"([\w.-]+)(?:\[[^\]]*\])?(?:==(.+))?", requirement)
        if match is None or match[1].lower() not in runtime:
            found.append(f"{requirement} is not in requirements.lock; run: make lock")
        elif match[2] and runtime[match[1].lower()] != match[2]:
            found.append(f"{requirement} is pinned otherwise in requirements.lock; run: make lock")
    return found


if __name__ == "__main__":
    problems = faults()
    for problem in problems:
        print(problem, file=sys.stderr)
    sys.exit(bool(problems))
