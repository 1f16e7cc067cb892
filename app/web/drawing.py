"""What every template may use: who is signed in, where they may go, and the shapes of the house."""

from __future__ import annotations

from flask import Flask

from app.web import links, session


def init(app: Flask) -> None:
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
    app.jinja_env.globals["places"] = _places
    app.context_processor(lambda: {"visitor": session.current_or_none()})


def _places() -> list[tuple[str, str]]:
    visitor = session.current_or_none()
    return links.places(visitor) if visitor else []
