"""Whom a sweep asks for: everybody at work, and whoever still has rows here, so that no row goes stale unseen."""

from __future__ import annotations

from sqlalchemy.orm import Session

from app.domain.rules import Rules
from app.store import appointments, catalogue
from app.sync.context import SyncContext


def practitioners(session: Session, ctx: SyncContext, rules: Rules) -> set[str]:
    left = appointments.practitioners_with_rows(session, ctx.connection_id, ctx.window.start, ctx.window.end)
    return catalogue.swept_practitioners(session, ctx.connection_id) | (left - set(rules.practitioners_off))
