"""The browser libraries are the releases we say they are; reading goes on where nothing can be written."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from app.config import ROOT
from app.store import sessions
from app.web.assets import content_hash
from scripts import vendor_assets
from tests.web.pages import Visit

PINNED = {
    "htmx-2.0.11.min.js": "d6fdc75f204e6bdefa99b69bf1e6d4ac69b8a364f77929f45c13476b4000f717",
    "idiomorph-ext-0.8.0.min.js": "5811b9a7eda14878b7dab4378bf60432e1bb6f11fcfb970cc26540642650181e",
}
VENDOR = ROOT / "static" / "vendor"


@pytest.mark.parametrize("name", sorted(PINNED))
def test_a_vendored_file_is_the_unmodified_release(name: str) -> None:
    assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == PINNED[name]


def test_nothing_else_lies_among_the_vendored_files() -> None:
    assert {path.name for path in VENDOR.iterdir()} == {*PINNED, "VERSIONS", "LICENSES"}
    assert {release.file: release.sha256 for release in vendor_assets.RELEASES} == PINNED
    assert vendor_assets.check() == []
    for release in vendor_assets.RELEASES:
        assert release.sha256 in (VENDOR / "VERSIONS").read_text()
        assert release.package in (VENDOR / "LICENSES").read_text()


def test_a_changed_file_gets_another_address(tmp_path: Path) -> None:
    path = tmp_path / "app.css"
    path.write_text("a")
    first = content_hash(path)
    path.write_text("ab")
    assert content_hash(path) != first


def test_reading_goes_on_where_the_session_cannot_be_touched(
    reception: Visit, monkeypatch: pytest.MonkeyPatch, time: object
) -> None:
    def refused(*_: object) -> None:
        raise OperationalError("UPDATE", {}, Exception("attempt to write a readonly database"))

    monkeypatch.setattr(sessions, "touch", refused)
    time.shift(120)  # type: ignore[attr-defined]
    assert reception.get("/run-sheet").status_code == 200
