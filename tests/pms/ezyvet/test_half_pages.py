"""After a page that did not fit into memory: every list is asked for in pages half as large, and still read whole."""

from __future__ import annotations

import pytest

from app.config import VendorSettings
from app.pms.factory import Tools, open_adapter
from app.pms.port import Site
from tests.pms.ezyvet.hospital import CREDENTIALS, WINDOW, Hospital


@pytest.mark.fault("F58")
def test_half_pages_are_half_of_the_usual_and_bring_everything(busy: Hospital) -> None:
    sizes, found = [], []
    for half in (False, True):
        before = len(busy.asked())
        tools = Tools(busy.limiter, busy.stores, "c", sleep=busy.waits, credentials=CREDENTIALS, half_pages=half)
        adapter = open_adapter("ezyvet", VendorSettings(base_url=busy.url), Site(None, "Australia/Melbourne"), tools)
        (week,) = adapter.partitions(WINDOW, ("21", "22", "23"))
        found.append({one.external_id for page in adapter.appointments(week) for one in page.appointments})
        queries = [one["query"] for one in busy.asked()[before:] if "limit=" in one["query"]]
        sizes.append({query.partition("limit=")[2].partition("&")[0] for query in queries})
        adapter.close()
    assert sizes == [{"200"}, {"100"}]
    assert found[0] == found[1] != set()
