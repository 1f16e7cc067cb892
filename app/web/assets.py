"""Static files under addresses that change with their content, so that a browser may keep them for a year."""

from __future__ import annotations

import hashlib
from pathlib import Path

from flask import Flask, current_app

_hashes: dict[tuple[str, int, int], str] = {}


def init(app: Flask) -> None:
    app.jinja_env.globals["asset"] = asset


def asset(name: str) -> str:
    """`/static/app.css?v=…`."""
    return f"{current_app.static_url_path}/{name}?v={content_hash(Path(current_app.static_folder or '') / name)}"


def content_hash(path: Path) -> str:
    found = path.stat()
    key = (str(path), found.st_mtime_ns, found.st_size)
    if key not in _hashes:
        _hashes[key] = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    return _hashes[key]
