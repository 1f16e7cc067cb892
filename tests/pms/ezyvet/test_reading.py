"""Values, texts and status names of ezyVet's: what they mean, and what is refused."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest

from app.config import VendorSettings
from app.domain.status import Status
from app.pms.errors import PmsMalformed, PmsNotConfigured
from app.pms.ezyvet import login, wire
from app.pms.ezyvet.coerce import Scalar, flag, ident, instant, number, words
from app.pms.ezyvet.notes import SETTLED_AFTER, measure, settled
from app.pms.ezyvet.settings import LIMITS, EzyvetSettings, endpoint_limits
from app.pms.ezyvet.status import status_of
from app.pms.limits import Limits
from app.pms.markup import plain
from app.pms.rows import RowFault
from app.pms.transport import Reply

NOW = datetime(2026, 3, 9, 1, 0, tzinfo=UTC)


# --- values -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [801, "801", " 801 "])
def test_an_id_is_the_same_as_number_and_as_text(value: Scalar) -> None:
    assert ident(value, "$.id") == "801"


@pytest.mark.parametrize("value", [None, "", 0, "0", False])
def test_an_id_that_is_not_set_is_none(value: Scalar) -> None:
    assert ident(value, "$.id") is None


@pytest.mark.parametrize("value", [1773046800, "1773046800", 1773046800.0])
def test_an_instant_is_epoch_seconds_in_any_form(value: Scalar) -> None:
    assert instant(value, "$.at") == datetime(2026, 3, 9, 9, 0, tzinfo=UTC)


def test_birth_dates_before_1970_are_read() -> None:
    assert instant("-86400", "$.at") == datetime(1969, 12, 31, tzinfo=UTC)


@pytest.mark.parametrize(
    ("read", "value"),
    [
        (ident, True),
        (ident, 1.5),
        (ident, " "),
        (ident, "x" * 256),
        (instant, "soon"),
        (instant, 1773046800000),  # milliseconds
        (instant, float("inf")),
        (number, True),
        (number, "1,5"),
        (number, "nan"),
        (flag, "maybe"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_path_and_without_its_value(read: object, value: Scalar) -> None:
    with pytest.raises(RowFault) as caught:
        read(value, "$.field")  # type: ignore[operator]
    assert caught.value.path == "$.field"
    assert caught.value.reason in ("invalid", "out_of_range")


def test_flags_and_words() -> None:
    assert [flag(one, "$") for one in (True, 1, "1", "true", False, 0, "0", "", None)] == [
        *(True, True, True, True),
        *(False, False, False),
        *(None, None),
    ]
    assert (words(" a \n b "), words(7), words(""), words(None), words(True)) == ("a b", "7", None, None, None)


# --- envelopes --------------------------------------------------------------------------------------------------------


def _list(*items: object, **meta: object) -> bytes:
    told = {"items_page": "1", "items_page_total": "1", "items_total": str(len(items)), **meta}
    return json.dumps({"meta": told, "items": items, "messages": []}).encode()


def test_records_are_unwrapped_and_those_that_are_not_wrapped_are_taken_as_they_are() -> None:
    page = wire.list_page(_list({"appointment": {"id": 1, "start_at": 5}}, {"id": 2, "start_at": 6}))
    assert [wire.appointment(one).id for one in page.records] == [1, 2]
    assert (page.pages, page.total, page.number) == (1, 2, 1)


def test_a_list_of_nothing_is_one() -> None:
    assert wire.list_page(_list(items_page_total=0)).records == []


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b'{"items": []}',
        b'{"meta": {}, "items": []}',
        b'{"meta": {"items_page_total": 1}}',
        b'{"meta": {"items_page_total": 1}, "items": {}}',
        _list(items_page_total="many"),
        _list(items_page_total=-1),
        _list(items_page_total=""),
        _list(items_total="1.5"),
        b"[]",
        b"null",
        b"not json",
    ],
)
def test_a_list_that_does_not_say_how_long_it_is_is_none(body: bytes) -> None:
    with pytest.raises(PmsMalformed):
        wire.list_page(body)


@pytest.mark.parametrize("resources", ["null", '""', "[]", '[{"id":null}]', '[{"id":21},"44",{"id":"21"}]'])
def test_resources_come_in_many_shapes(resources: str) -> None:
    found = wire.appointment(b'{"id":1,"start_at":5,"resources":%s}' % resources.encode())
    assert found.id == 1


def test_a_doubled_member_is_refused() -> None:
    with pytest.raises(RowFault, match="dup_key"):
        wire.appointment(b'{"id":1,"start_at":5,"active":true,"duration":30,"status_id":1,"start_at":6}')


# --- texts ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "reads"),
    [
        (None, None),
        ("", None),
        ("<p> </p>", None),
        ("HR <60, T >39", "HR <60, T >39"),
        ("Fish &amp; chips", "Fish & chips"),
        ("one\ntwo", "one\ntwo"),
        ("<p>One</p><p>two<br>three</p>", "One\n\ntwo\nthree"),
        ("<ul><li>Rest</li><li>Ice</li></ul>", "- Rest\n- Ice"),
        ("<b>bold</b> and <i>not", "bold and not"),
        ("seen<script>alert('x')</script><style>p{}</style> too", "seen too"),
        ("a\x00b<br/>c", "ab\nc"),
        ("<img src=x onerror=alert(1)>left", "left"),
        ("x <!-- hidden --> y", "x y"),
        ("<table><tr><td>T</td><td>38.6</td></tr></table>", "T 38.6"),
    ],
)
def test_markup_is_taken_out_and_nothing_else(text: str | None, reads: str | None) -> None:
    assert plain(text) == reads


# --- statuses ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "status"),
    [
        (None, Status.BOOKED),
        ("No Status", Status.BOOKED),
        ("Confirmed", Status.CONFIRMED),
        ("Arrived", Status.ARRIVED),
        ("Checked In", Status.ARRIVED),
        ("Check-in", Status.ARRIVED),
        ("Waiting Room", Status.ARRIVED),
        ("In lobby", Status.ARRIVED),
        ("Exam Room 2", Status.IN_PROGRESS),
        ("In consult", Status.IN_PROGRESS),
        ("Inpatient", Status.IN_PROGRESS),
        ("Ready", Status.IN_PROGRESS),
        ("OK to Check Out", Status.COMPLETED),
        ("Checked out", Status.COMPLETED),
        ("Ready for discharge", Status.COMPLETED),
        ("Paid", Status.COMPLETED),
        ("No Show", Status.NO_SHOW),
        ("did not attend", Status.NO_SHOW),
        ("Cancelled by owner", Status.CANCELLED),
        # What a careless rule would take for its opposite.
        ("Not confirmed", Status.UNKNOWN),
        ("Unconfirmed", Status.UNKNOWN),
        ("Awaiting confirmation", Status.UNKNOWN),
        ("On Wait List", Status.UNKNOWN),
        ("Incomplete", Status.UNKNOWN),
        ("Unpaid", Status.UNKNOWN),
        ("Not arrived", Status.UNKNOWN),
        ("Purple", Status.UNKNOWN),
        ("", Status.UNKNOWN),
    ],
)
def test_a_practices_status_names_are_read_by_their_words(name: str | None, status: Status) -> None:
    assert status_of(name, True, None, {}) is status


def test_what_the_practice_explained_comes_first() -> None:
    words = {"Purple": "arrived", "Confirmed": "booked", "Odd": "no such status"}
    assert status_of("Purple", True, None, words) is Status.ARRIVED
    assert status_of("Confirmed", True, None, words) is Status.BOOKED
    assert status_of("Odd", True, None, words) is Status.UNKNOWN


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        (None, Status.CANCELLED),
        ("Owner rang", Status.CANCELLED),
        ("No-show", Status.NO_SHOW),
        ("Client did not attend", Status.NO_SHOW),
    ],
)
def test_who_was_taken_out_is_cancelled_or_did_not_come(reason: str | None, status: Status) -> None:
    assert status_of("Arrived", False, reason, {"Arrived": "completed"}) is status


# --- the log-in -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "hours"),
    [
        (43200, 11),  # twelve, believed for eleven
        ("43200", 11),
        (3600, 1),
        (int((NOW + timedelta(hours=2)).timestamp()), 2),  # the vendor's own example is an instant
        (None, 11),
        (1e300, 11),
    ],
)
def test_a_tokens_life_is_read_as_seconds_or_as_an_instant(said: Scalar, hours: int) -> None:
    assert login.life_of(said, NOW) == timedelta(hours=hours)


@pytest.mark.parametrize("said", [0, -5, "never", True, "nan"])
def test_a_token_without_a_life_is_none(said: Scalar) -> None:
    with pytest.raises(PmsMalformed):
        login.life_of(said, NOW)


def test_the_site_is_read_from_the_token_where_it_can_be() -> None:
    def token(body: bytes) -> str:
        return f"h.{base64.urlsafe_b64encode(body).rstrip(b'=').decode()}.s"

    assert login.site_of(token(b'{"site_uid":"uid-7","scopes":["a"]}')) == "uid-7"
    bad = (token(b"{}"), token(b"[]"), token(b"\xff"), token(b'{"site_uid":[1]}'), "opaque", "a.b", "a.!.c", "..")
    assert [login.site_of(one) for one in bad] == [None] * len(bad)


@pytest.mark.parametrize(
    ("headers", "body", "seconds"),
    [
        ({"retry-after": "7", "x-ratelimit-reset": "20"}, b"wait 30 seconds", 7.0),
        ({"x-ratelimit-reset": "20"}, b"wait 30 seconds", 20.0),
        ({"x-ratelimit-reset": str(int(NOW.timestamp()) + 15)}, b"", 15.0),
        ({"x-ratelimit-reset": str(int(NOW.timestamp()) - 15)}, b"", 0.0),
        ({"x-ratelimit-reset": "soon"}, b'{"messages":[{"text":"Try again in 12 seconds."}]}', 12.0),
        ({}, b"Try again in 1 second", 1.0),
        ({}, b'{"messages":[{"level":"error"}]}', 60.0),
        ({}, b"\xff\xfe", 60.0),
        ({"retry-after": "soon"}, b"", 60.0),
    ],
)
def test_how_long_to_wait_is_said_in_four_ways(headers: dict[str, str], body: bytes, seconds: float) -> None:
    assert login.pause_asked(Reply(429, body, headers), NOW) == seconds


def test_what_nobody_typed_is_named() -> None:
    with pytest.raises(PmsNotConfigured, match="Client ID and Client secret are not set"):
        EzyvetSettings.of(VendorSettings(), {})
    with pytest.raises(PmsNotConfigured, match="Client secret is not set"):
        EzyvetSettings.of(VendorSettings(), {"client_id": "c", "client_secret": "  "})


def test_an_old_log_in_needs_neither_partner_nor_site() -> None:
    made = EzyvetSettings.of(VendorSettings(), {"client_id": "c", "client_secret": "hush"})
    assert (made.partner_id, made.site_uid, made.division_id) == (None, None, None)
    assert made.token_url == "https://api.ezyvet.com/v1/oauth/access_token"
    assert "hush" not in repr(made)


def test_sites_have_budgets_of_their_own_and_divisions_share_one() -> None:
    def key(**typed: str) -> str:
        return EzyvetSettings.of(VendorSettings(), {"client_id": "our-client", "client_secret": "s", **typed}).limit_key

    assert len({key(), key(client_id="d"), key(partner_id="p"), key(site_uid="u")}) == 4
    assert key(division_id="1") == key(division_id="2") == key(client_secret="t")
    assert "our-client" not in key()


def test_limits_are_the_vendors_unless_the_operator_says_less() -> None:
    assert (Limits.of(VendorSettings(), LIMITS).per_minute, endpoint_limits(VendorSettings()).per_minute) == (180, 60)
    less = VendorSettings(requests_per_minute=30)
    assert (Limits.of(less, LIMITS).per_minute, endpoint_limits(less).per_minute) == (30, 30)


# --- consultations ----------------------------------------------------------------------------------------------------


def test_a_consultation_is_finalised_once_nothing_has_changed_for_a_day() -> None:
    long_ago, just_now = NOW - SETTLED_AFTER, NOW - SETTLED_AFTER + timedelta(seconds=1)
    assert settled(long_ago, [long_ago], NOW)
    assert settled(None, [long_ago], NOW)
    assert not settled(just_now, [long_ago], NOW)
    assert not settled(long_ago, [long_ago, just_now], NOW)
    assert not settled(None, [], NOW)


def test_what_was_not_taken_is_none_and_never_zero() -> None:
    assert [measure(value, "kg", "$.w") for value in ("0", 0, "", None)] == [None] * 4
    found = measure("12.4", " kg ", "$.w")
    assert found is not None
    assert (found.value, found.unit) == (12.4, "kg")
    assert measure("96", "", "$.w").unit is None  # type: ignore[union-attr]
    with pytest.raises(RowFault):
        measure("heavy", "kg", "$.w")
