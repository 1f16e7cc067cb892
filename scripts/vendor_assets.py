"""For maintainers: fetch the pinned releases of the browser libraries into static/vendor, unmodified, hashes checked.

Run `python scripts/vendor_assets.py`; it needs npm and the npm registry. `--check` only compares what lies there.
A new version is a change of RELEASES, with the hash taken from a release somebody has looked at.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

VENDOR = Path(__file__).resolve().parent.parent / "static" / "vendor"


@dataclass(frozen=True)
class Release:
    package: str
    version: str
    inside: str  # the file's path in the package
    file: str  # its name here
    sha256: str
    licence: str


RELEASES = (
    Release(
        "htmx.org",
        "2.0.11",
        "package/dist/htmx.min.js",
        "htmx-2.0.11.min.js",
        "d6fdc75f204e6bdefa99b69bf1e6d4ac69b8a364f77929f45c13476b4000f717",
        "0BSD",
    ),
    Release(
        "idiomorph",
        "0.8.0",
        "package/dist/idiomorph-ext.min.js",
        "idiomorph-ext-0.8.0.min.js",
        "5811b9a7eda14878b7dab4378bf60432e1bb6f11fcfb970cc26540642650181e",
        "0BSD",
    ),
)


def sha256_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def check() -> list[str]:
    """What is missing or not what it should be; empty when all is well."""
    faults = []
    for release in RELEASES:
        path = VENDOR / release.file
        if not path.is_file():
            faults.append(f"{release.file} is missing")
        elif sha256_of(path) != release.sha256:
            faults.append(f"{release.file} is not the release {release.package} {release.version}")
    return faults


def fetch(release: Release, folder: Path) -> str:
    """Put the file in its place; returns the package's licence text."""
    packed = subprocess.run(
        ["npm", "pack", f"{release.package}@{release.version}", "--silent"],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    )
    with tarfile.open(folder / packed.stdout.strip().splitlines()[-1]) as archive:
        archive.extractall(folder / release.package, filter="data")
    source = folder / release.package / release.inside
    if sha256_of(source) != release.sha256:
        raise SystemExit(f"{release.package} {release.version}: the hash differs from the pinned one; nothing copied.")
    VENDOR.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, VENDOR / release.file)
    return (folder / release.package / "package" / "LICENSE").read_text()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare, fetch nothing")
    if not parser.parse_args().check:
        licences = []
        with tempfile.TemporaryDirectory() as folder:
            for release in RELEASES:
                text = fetch(release, Path(folder))
                licences.append(f"{release.package} {release.version} ({release.licence})\n\n{text.strip()}\n")
        (VENDOR / "LICENSES").write_text(("\n" + "-" * 78 + "\n\n").join(licences))
        lines = [f"{r.file}  {r.package} {r.version}  {r.licence}  sha256 {r.sha256}" for r in RELEASES]
        (VENDOR / "VERSIONS").write_text("\n".join(lines) + "\n")
    faults = check()
    print("\n".join(faults) or "static/vendor holds exactly the pinned releases.")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
