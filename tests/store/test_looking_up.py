"""How the rows of a page are found: id by id, whatever the database knows of its tables."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event, text
from sqlalchemy.orm import Session

from app.store import appointments, read_pages
from app.store.models import Appointment
from tests.fakes.house import House
from tests.fakes.pms import TODAY


@pytest.mark.parametrize("has_statistics", [False, True])
def test_a_page_is_looked_up_without_reading_the_rest_of_the_connection(house: House, has_statistics: bool) -> None:
    """In a practice's first days the database has no statistics, and would rather read everything for every page.

    Of a table of one page it may well read all, whatever it knows: that is quicker. So there are many.
    """
    names = [f"a{number}" for number in range(400)]
    house.pms.books(*names)
    house.sync(TODAY, TODAY + timedelta(days=8))
    page = names[-5:]
    if has_statistics:
        with house.store.write() as session:
            session.execute(text("ANALYZE"))
    with house.store.read() as session:
        for looks in (appointments.stored, _standing_of):
            sent = _sent(session, partial(looks, session, house.connection_id, page))
            assert _examined(session, *sent) <= len(page)
        everything = _sent(session, lambda: session.query(Appointment).filter_by(location="nowhere").all())
        assert _examined(session, *everything) >= len(names), "the measure would tell"


def _standing_of(session: Session, connection_id: UUID, ids: list[str]) -> object:
    """Of several pages at once."""
    return read_pages.standing_of(session, connection_id, [ids[:2], [], ids[2:]])


def _sent(session: Session, does: Any) -> tuple[str, Any]:
    """The one statement of `does`, and what it binds."""
    told: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        told.append((statement, parameters))

    engine = session.get_bind().engine
    event.listen(engine, "before_cursor_execute", note)
    does()
    event.remove(engine, "before_cursor_execute", note)
    (one,) = told
    return one


def _examined(session: Session, statement: str, bound: Any) -> int:
    """Rows of the sheet the statement looks at: what it returns, and what it reads in vain."""
    connection = session.connection()
    if connection.dialect.name == "sqlite":
        plan = str(connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", bound).all())
        if "(pms_connection_id=? AND pms_appointment_id=?)" in plan:
            return len(connection.exec_driver_sql(statement, bound).all())
        return connection.execute(text("SELECT count(*) FROM run_sheet_appointments")).scalar_one()
    plan = connection.exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", bound).scalar_one()
    return sum(_read_by(plan[0]["Plan"]))


def _read_by(node: dict[str, Any]) -> list[int]:
    here = node["Actual Rows"] + node.get("Rows Removed by Filter", 0) if "Relation Name" in node else 0
    return [int(here * node["Actual Loops"]), *(count for below in node.get("Plans", ()) for count in _read_by(below))]
