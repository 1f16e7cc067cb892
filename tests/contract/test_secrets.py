"""No secret and nobody's name leaves by a log, an address or an error, whatever happens."""

from __future__ import annotations

import logging

import pytest

from app.pms.errors import PmsError
from tests.contract.meeting import Meeting, at

#: What is told already, and numbers that are the clock's and the machine's.
_NAMES = frozenset(
    {
        *("name", "msg", "args", "exc_text"),
        *("created", "msecs", "relativeCreated", "thread", "process"),
    }
)


def words_of(record: logging.LogRecord) -> str:
    """All that a log line could show: the message, what was handed along, the traceback."""
    told = [record.getMessage(), *(f"{name}={value!r}" for name, value in vars(record).items() if name not in _NAMES)]
    if record.exc_info and record.exc_info[1]:
        told.append(repr(record.exc_info[1]))
    return " ".join(told)


def secrets_of(meeting: Meeting) -> list[str]:
    typed = [
        meeting.clinic.credentials[one.name]
        for one in meeting.cls.credentials
        if one.secret and meeting.clinic.credentials.get(one.name)
    ]
    tokens = [value for kept in meeting.stores.rows.values() for value in (kept.row.access, kept.row.refresh) if value]
    clients = [value for name, value in meeting.settings().extra.items() if "secret" in name or "key" in name]
    return [one for one in (*typed, *tokens, *clients) if len(one) > 3]


def personal(meeting: Meeting) -> set[str]:
    """What the clinic knows of whoever comes that day."""
    found: set[str] = set()
    for row in meeting.rows().values():
        for one in (*row.patients, *((row.client,) if row.client else ())):
            words = (one.full_name, one.last_name, one.phone, one.email, one.birth_date and one.birth_date.isoformat())
            found |= {word for word in words if word and len(word) > 3}
        if row.telehealth_url:
            found.add(row.telehealth_url)
        if row.comment and len(row.comment) > 3:
            found.add(row.comment)
    return found


def test_a_sweep_leaves_nothing_in_logs_and_addresses(busy: Meeting, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger="app")
    adapter = busy.open()
    adapter.health_check()
    adapter.identity()
    adapter.practitioners()
    adapter.appointment_types()
    never = personal(busy)
    assert len(never) > 20
    row = next(row for row in busy.rows().values() if row.patients)
    if busy.cls.capabilities.lookup_by_id:
        adapter.appointment(row.external_id)
    told = " ".join(words_of(one) for one in caplog.records)
    if busy.case.list_path is not None:
        assert "asked the PMS" in told, "otherwise there is nothing to look at"
    addresses = " ".join(f"{one['path']}?{one['query']}" for one in busy.clinic.asked())
    for word in never:
        assert word not in told
        assert word not in addresses
    assert row.external_id not in told
    for secret in secrets_of(busy):
        assert secret not in told + addresses


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("status", {"status": 400}),
        ("status", {"status": 401}),
        ("status", {"status": 403}),
        ("status", {"status": 429, "retry_after": 900}),
        ("status", {"status": 503}),
        ("html", {}),
        ("truncated", {}),
        ("redirect", {}),
        ("hang_up", {}),
    ],
    ids=lambda value: "-".join(map(str, value.values())) if isinstance(value, dict) else value,
)
def test_a_failure_tells_what_failed_and_not_of_whom(
    meeting: Meeting, caplog: pytest.LogCaptureFixture, kind: str, more: dict[str, int]
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger="app")
    visit = meeting.clinic.book(at("10:00"), note="Bring the referral letter")
    never = personal(meeting) | {visit}
    meeting.breaks(kind, **more)
    with pytest.raises(PmsError) as raised:
        meeting.pages()
    told = " ".join(words_of(one) for one in caplog.records) + f"{raised.value!r} {raised.value} {raised.value.reason}"
    chain: BaseException | None = raised.value
    while chain is not None:
        told += f" {chain!r}"
        chain = chain.__cause__ or (None if chain.__suppress_context__ else chain.__context__)
    for word in (*never, *secrets_of(meeting)):
        assert word not in told
    if meeting.cls.capabilities.lookup_by_id:
        meeting.clinic.mend()
        meeting.clinic.fault(kind, **more)
        with pytest.raises(PmsError) as raised:
            meeting.open().appointment(visit)
        assert visit not in f"{raised.value!r} {raised.value}"


def test_what_is_set_aside_names_no_value(meeting: Meeting, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger="app")
    poison = meeting.case.poisons[0]
    bad = meeting.clinic.book(at("10:00"), note="Bring the referral letter")
    never = personal(meeting)
    meeting.clinic.raw(bad, drop=poison.drop, **poison.fields)
    pages = meeting.pages()
    (refused,) = (one for page in pages for one in page.rejected)
    told = " ".join(words_of(one) for one in caplog.records) + refused.path + refused.reason
    for word in never:
        assert word not in told


def test_nothing_of_it_shows_in_what_stands_for_the_adapter(meeting: Meeting) -> None:
    adapter = meeting.open()
    adapter.health_check()
    told = f"{adapter!r} {adapter.limit_key()} {adapter.health_check()!r} {vars(adapter)!r}"
    for secret in secrets_of(meeting):
        assert secret not in told
