"""Records of Gentu’s pages that cannot be read: set aside one by one, with the place and never the value."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.domain.window import Window
from app.pms.gentu.adapter import GentuAdapter
from app.pms.port import Page
from tests.pms.gentu.conftest import BOOK, MONDAY
from tests.pms.gentu.samples import PRACTITIONER, booking, page, people, sample
from tests.pms.scripted import Scripted, answer


def sweep(adapter: GentuAdapter, cursor: str | None = None, window: Window = MONDAY) -> list[Page]:
    return list(adapter.appointments(adapter.partitions(window, [PRACTITIONER])[0], cursor))


def only(adapter: GentuAdapter, gentu: Scripted, *rows: Any, **members: Any) -> Page:
    """The one page of a book that holds these rows."""
    gentu.stand(BOOK, answer(200, page(*rows, **members)))
    (found,) = sweep(adapter)
    return found


# --- bad records ------------------------------------------------------------------------------------------------------


def raw(text: str, **changes: Any) -> str:
    """A booking's JSON with `"comment": "HERE"` replaced by text."""
    return json.dumps(booking(**{"id": "bad", "comment": "HERE", **changes})).replace('"comment": "HERE"', text)


@pytest.mark.parametrize(
    ("bad", "path", "reason"),
    [
        (json.dumps(booking(id="bad", startAt=None)), "$.startAt", "wrong_type"),
        (
            json.dumps(booking(id="bad", participant=[{"referenceType": 1}])),
            "$.participant[0].referenceType",
            "wrong_type",
        ),
        (raw('"comment": "\\ud800"'), "$", "not_json"),
        (raw('"comment": NaN'), "$", "not_json"),
        (raw('"minutesDuration": Infinity', drop=["minutesDuration"]), "$", "not_json"),
        (raw('"minutesDuration": 1e999', drop=["minutesDuration"]), "$.minutesDuration", "out_of_range"),
        (raw('"minutesDuration": ' + "9" * 5000, drop=["minutesDuration"]), "$.minutesDuration", "out_of_range"),
        (raw('"status": "none", "comment": ""'), "$..status", "dup_key"),
        (raw('"st\\u0061tus": "none", "comment": ""'), "$..status", "dup_key"),
        ('"an appointment"', "$", "wrong_type"),
        ("null", "$", "wrong_type"),
    ],
)
def test_one_bad_record_is_set_aside_and_the_rest_goes_on(
    adapter: GentuAdapter, gentu: Scripted, bad: str, path: str, reason: str
) -> None:
    body = json.dumps(page(booking(id="1"), "BAD", booking(id="2"), following=None)).replace('"BAD"', bad)
    gentu.stand(BOOK, answer(200, body))
    (found,) = sweep(adapter)
    assert [row.external_id for row in found.appointments] == ["1", "2"]
    (rejected,) = found.rejected
    assert (rejected.path, rejected.reason, found.received) == (path, reason, 3)
    assert rejected.payload == bad.encode()
    assert rejected.external_id == ("bad" if reason not in {"not_json"} and bad.startswith("{") else None)


def test_doubled_keys_are_seen_in_any_row_of_any_page(adapter: GentuAdapter, gentu: Scripted) -> None:
    good = [booking(id=str(number)) for number in range(50)]
    for number in (0, 20, 49):
        rows = [json.dumps(row) for row in good]
        rows[number] = rows[number].replace('"id":', '"startAt": "2026-03-09T10:00:00.000+11:00", "id":')
        body = json.dumps(page("ROWS")).replace('"ROWS"', ", ".join(rows))
        gentu.stand(BOOK, answer(200, body))
        (found,) = sweep(adapter)
        assert [one.external_id for one in found.rejected] == [str(number)]
        assert len(found.appointments) == 49


def test_a_patient_who_cannot_be_read_sets_only_their_bookings_aside(adapter: GentuAdapter, gentu: Scripted) -> None:
    bad = {**sample("patient"), "id": "p2", "birthDate": "1979-02-30"}
    rows = [booking(id="1"), booking(id="2", participant=people(("patient", "p2")))]
    found = only(adapter, gentu, *rows, patients=[*sample("appointments")["patients"], bad, {"no": "id"}])
    assert [row.external_id for row in found.appointments] == ["1"]
    (rejected,) = found.rejected
    assert (rejected.external_id, rejected.path, rejected.reason) == ("2", "patients[].birthDate", "invalid")
    assert json.loads(rejected.payload) == {"record": rows[1], "beside": bad}


def test_no_value_of_a_bad_record_stands_in_path_or_reason(adapter: GentuAdapter, gentu: Scripted) -> None:
    found = only(adapter, gentu, booking(startAt="Marlow Fennick"), booking(id={"Marlow": "Fennick"}))
    assert found.rejected
    for one in found.rejected:
        assert "Marlow" not in f"{one.path}{one.reason}"


def test_nuls_are_dropped_before_any_database_sees_them(adapter: GentuAdapter, gentu: Scripted) -> None:
    found = only(adapter, gentu, booking(comment="be\x00fore \\u0000 \\"))
    assert found.appointments[0].comment == "before \\u0000 \\"


def test_unknown_words_and_members_are_no_reason_to_set_aside(adapter: GentuAdapter, gentu: Scripted) -> None:
    found = only(adapter, gentu, booking(status="triaged", new={"a": [1]}), somethingNew=1)
    assert (found.rejected, found.appointments[0].raw_status) == ([], "triaged")
