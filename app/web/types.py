"""Which appointment types are telehealth: ticked by a person, with the consequences shown first (A25, A26)."""

from __future__ import annotations

from uuid import UUID

from flask import Response, flash, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app import clock
from app.errors import InvalidInput
from app.security.roles import Permission
from app.web import kinds
from app.web.kinds import Effect
from app.web.mapping import bp, of_mine, read_soon
from app.web.security import signed_in
from app.web.words import pms_name
from app.wiring import store


@bp.get("/types")
@signed_in(Permission.TYPES_WRITE)
def types(connection_id: UUID) -> ResponseReturnValue:
    return _page(connection_id)


@bp.post("/types")
@signed_in(Permission.TYPES_WRITE)
def weigh_types(connection_id: UUID) -> ResponseReturnValue:
    """Show what these ticks would do. Writes nothing."""
    ticked = request.form.getlist("type")
    with store().read() as session:
        connection = of_mine(session, connection_id)
        every = "every" in request.form if kinds.offers_every(connection) else not connection.sync_telehealth_only
        effects = kinds.effects(session, connection, ticked, every, clock.now())
    return _page(connection_id, ticked=ticked, every=every, effects=effects)


@bp.post("/types/apply")
@signed_in(Permission.TYPES_WRITE)
def apply_types(connection_id: UUID) -> ResponseReturnValue:
    """Do what was shown."""
    on, off = request.form.getlist("on"), request.form.getlist("off")
    every = {"on": True, "off": False}.get(request.form.get("every", ""))
    try:
        chosen = store().transact(
            lambda session: kinds.apply(session, of_mine(session, connection_id), on, off, clock.now(), every=every)
        )
    except InvalidInput as error:
        return _page(connection_id, fault=str(error), status=422)
    if chosen.brought_in:
        read_soon(connection_id)
    flash(kinds.happened(chosen))
    return redirect(url_for(".types", connection_id=connection_id), code=303)


def _page(
    connection_id: UUID,
    *,
    ticked: list[str] | None = None,
    every: bool | None = None,
    effects: list[Effect] | None = None,
    fault: str = "",
    status: int = 200,
) -> Response:
    with store().read() as session:
        connection = of_mine(session, connection_id)
        shown = kinds.listed(session, connection, clock.now(), ticked=ticked)
    page = render_template(
        "connections/types.html",
        connection=connection,
        pms=pms_name(connection.pms_type),
        types=shown,
        offers_every=kinds.offers_every(connection),
        every=not connection.sync_telehealth_only if every is None else every,
        effects=effects,
        fault=fault,
    )
    return make_response(page, status)
