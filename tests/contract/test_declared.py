"""What an adapter says of itself before anybody asks the vendor: forms, pages and documents are drawn from it."""

from __future__ import annotations

import re

import pytest

from app.config import VendorSettings
from app.pms.errors import PmsNotConfigured
from app.pms.factory import environment_of
from app.pms.registry import ADAPTERS, HOSTS, adapter_class
from app.sandbox.stage.model import STATES
from tests.contract.case import Case
from tests.contract.every import CASES
from tests.contract.meeting import Meeting


def test_every_vendor_we_speak_to_meets_the_kit_and_no_other() -> None:
    assert sorted(CASES) == sorted(ADAPTERS)


def test_a_case_is_whole(case: Case) -> None:
    assert set(case.states) == set(STATES)
    assert case.poisons
    assert all(poison.path for poison in case.poisons), "where a record is at fault must be told"
    assert all(re.match(r"[A-Z].*\.$", why) for why in case.lacks.values()), "a sentence"


def test_kind_label_and_evidence_are_said(case: Case) -> None:
    cls = adapter_class(case.kind)
    assert cls.kind == case.kind
    assert re.fullmatch(r"[a-z][a-z0-9_]*", cls.kind)
    assert cls.label.strip()
    for said in (cls.evidence.documented, cls.evidence.seen_in_code, cls.evidence.ours):
        assert re.match(r"[A-Z].*\.$", said, re.S), said
    assert cls.evidence.run_live is False, "nobody has run any of them against a live system"


def test_what_is_typed_is_explained_by_where_it_is_found(case: Case) -> None:
    cls = adapter_class(case.kind)
    assert bool(cls.credentials) != (cls.pairing is not None), "either a code or credentials"
    assert (cls.pairing is not None) == cls.capabilities.pairing_code
    names = [one.name for one in cls.credentials]
    assert len(set(names)) == len(names)
    for one in cls.credentials:
        assert re.fullmatch(r"[a-z][a-z0-9_]*", one.name)
        assert one.label.strip()
        assert re.search(r"\.$", one.help), f"{one.name}: a sentence that says where it is found"
    if cls.pairing is not None:
        assert cls.pairing.length > 0
        assert cls.pairing.help.endswith(".")


def test_the_vendors_own_hosts_are_live_and_the_simulator_is_not(case: Case, meeting: Meeting) -> None:
    cls = adapter_class(case.kind)
    usual = cls.base_url(VendorSettings())
    if environment_of(usual) == "simulator":  # each site has an address of its own, or there is none
        assert not any(host in usual for host in HOSTS)
    assert environment_of(cls.base_url(meeting.settings())) == "simulator"


def test_limits_are_figures_one_can_keep_to(case: Case) -> None:
    limits = adapter_class(case.kind).limits
    assert 0 < limits.background <= limits.per_minute <= limits.per_hour
    assert limits.per_day is None or limits.per_day > 0


def test_without_what_is_required_nothing_is_asked(case: Case, meeting: Meeting) -> None:
    needed = [one for one in meeting.cls.credentials if one.required]
    if not needed:
        pytest.skip("Nothing has to be typed.")
    whole = dict(meeting.clinic.credentials)
    for field in needed:
        without = {name: value for name, value in whole.items() if name != field.name}
        with pytest.raises(PmsNotConfigured) as raised:
            meeting.open(without, vendor={"base_url": None})  # an address the operator set would stand in for one
        said = str(raised.value)
        assert field.name in said or field.label in said
        for one in meeting.cls.credentials:
            assert not one.secret or not whole.get(one.name) or whole[one.name] not in said
    assert meeting.clinic.asked() == []


def test_the_limit_is_kept_by_credential_and_the_key_shows_none(case: Case, meeting: Meeting) -> None:
    key = meeting.open().limit_key()
    assert key == meeting.open().limit_key()
    for one in meeting.cls.credentials:
        value = meeting.clinic.credentials.get(one.name, "")
        assert not (one.secret and value) or value not in key
