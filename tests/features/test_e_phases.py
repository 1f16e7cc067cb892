"""E07: phases, each alone or together, each with its own record; a new one is a file and a line."""

from __future__ import annotations

import pytest

from app.domain.names import duration_words
from app.store import history
from app.store.models.sync import RunState
from app.sync import phases
from app.sync.context import Progress, SyncContext
from app.sync.engine import Wish
from app.sync.phases import Phase
from app.sync.tally import Tally
from tests.fakes.house import shared_postgresql, shared_sqlite, store
from tests.features.surgery import DAY, Surgery, surgery

__all__ = ["shared_postgresql", "shared_sqlite", "store", "surgery"]


@pytest.mark.feature("E07")
@pytest.mark.parametrize("wanted", [("catalogue",), ("inbound",), ("catalogue", "inbound")])
def test_phases_run_alone_or_together_and_each_files_a_record_that_adds_up(
    surgery: Surgery, wanted: tuple[str, ...]
) -> None:
    surgery.books(count=3)
    result = surgery.sync(DAY, phases=wanted)
    assert result.state is RunState.SUCCESS
    assert tuple(tally.phase for tally in result.tallies) == wanted
    with surgery.store.read() as session:
        filed = history.phases_of(session, result.run_id)
    assert tuple(one.phase for one in filed) == wanted
    assert all(one.complete and one.completed_at is not None for one in filed)
    assert len(surgery.rows()) == (3 if "inbound" in wanted else 0)


def count_the_practitioners(ctx: SyncContext, tally: Tally) -> None:
    """What a phase of somebody's own may look like: it asks, it writes a page, it counts."""
    found = ctx.adapter.practitioners()
    ctx.write(lambda _: None, progress=Progress("headcount", len(found), len(found)))
    tally.fetched = tally.unchanged = len(found)
    tally.details["took"] = duration_words(60)
    tally.complete = True


@pytest.mark.feature("E07")
def test_a_new_phase_is_a_function_and_a_line(surgery: Surgery, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = Phase("headcount", count_the_practitioners, lambda _: True, aliases=("people",))
    monkeypatch.setattr(phases, "PHASES", (*phases.PHASES, mine))
    assert phases.named("People") is mine
    asked = surgery.engine.ask_for(Wish(surgery.connection_id, phases=("people", "catalogue")))
    assert asked.phases == ("catalogue", "headcount")
    result = surgery.sync(DAY, phases=asked.phases)
    assert result.state is RunState.SUCCESS
    told = result.as_json()["phases"]["headcount"]
    assert (told["complete"], told["fetched"]) == (True, len(surgery.tenant()["practitioners"]))
    with surgery.store.read() as session:
        assert [one.details for one in history.phases_of(session, result.run_id)][1] == {"took": duration_words(60)}
