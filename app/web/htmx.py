"""One page, or the part of it that htmx asked for."""

from __future__ import annotations

from flask import Response, make_response, render_template
from htmx_flask import request
from jinja2_fragments.flask import render_block


def wants_fragment() -> bool:
    """Whether htmx asks for a part. Boosted links and restored history want the whole page."""
    htmx = request.htmx
    return bool(htmx) and not htmx.boosted and not htmx.history_restore_request


def page_or_block(template: str, block: str, *, status: int = 200, **context: object) -> Response:
    """The template, or only that block of it where htmx asks."""
    if wants_fragment():
        return make_response(render_block(template, block, **context), status)
    return make_response(render_template(template, **context), status)


def raise_events(response: Response, *events: str) -> Response:
    """Tell the page what happened, by name only: a header is no place for anything about a patient."""
    response.headers["HX-Trigger"] = ", ".join(events)
    return response


def push_url(response: Response, url: str) -> Response:
    response.headers["HX-Push-Url"] = url
    return response
