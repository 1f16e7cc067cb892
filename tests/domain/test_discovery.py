"""Who a client is: the rule of S7, case by case, and what no address may ever do."""

from __future__ import annotations

from datetime import date
from itertools import product
from uuid import UUID

import pytest

from app.domain.discovery import Candidate, Doubt, Judgement, Person, Verdict, judge, normal, refreshed

A, B = UUID(int=1), UUID(int=2)
BORN, OTHER = date(1987, 4, 9), date(1990, 5, 1)
MARA = Person("Mara", "Quill", "mara@example.com", "+61491570156", BORN)


def sharing(*people: Person, has_id: bool = False) -> list[Candidate]:
    return [Candidate(id_, one, has_id) for id_, one in zip((A, B), people, strict=False)]


def said(client: Person, *people: Person, has_id: bool = False) -> Verdict | Doubt:
    found = judge(client, sharing(*people, has_id=has_id))
    return found.doubt or found.verdict


@pytest.mark.fault("S7")
@pytest.mark.parametrize(
    ("client", "patient", "expected"),
    [
        (MARA, MARA, Verdict.LINK),
        (MARA, Person(" MARA ", "quill", "x"), Verdict.LINK),  # the name agrees, nobody knows the birth date
        (MARA, Person("Mara", "Mossbank", "x", None, BORN), Verdict.LINK),  # married since
        (MARA, Person(None, None, "x", None, BORN), Verdict.LINK),
        (MARA, Person("Bo", "Quill", "x"), Doubt.DISAGREE),
        (MARA, Person("Bo", "Quill", "x", None, OTHER), Doubt.DISAGREE),
        (MARA, Person("Mara", "Quill", "x", None, OTHER), Doubt.CONTRADICT),  # mother and daughter
        (MARA, Person("Bo", "Quill", "x", None, BORN), Doubt.CONTRADICT),  # twins
        (Person(None, None, "m@example.com"), Person(None, None, "x"), Doubt.DISAGREE),  # two without a name
    ],
)
def test_an_address_joins_only_where_name_or_birth_date_agree_and_the_other_says_nothing_else(
    client: Person, patient: Person, expected: Verdict | Doubt
) -> None:
    assert said(client, patient) is expected


@pytest.mark.fault("S7")
def test_an_address_alone_never_joins() -> None:
    assert said(MARA, MARA, has_id=True) is Doubt.OTHER_ID, "two clients of one system are two until a person says so"
    assert said(MARA, MARA, MARA) is Doubt.SEVERAL
    assert judge(MARA, []) == Judgement(Verdict.NEW)
    assert judge(MARA, sharing(MARA)).patient_id == A


@pytest.mark.fault("S7")
@pytest.mark.parametrize("email", [None, "", "  ", "none", "n/a"])
def test_whoever_has_no_address_shares_none(email: str | None) -> None:
    nobody = Person("Mara", "Quill", email)
    assert nobody.email_key is None
    assert said(nobody, nobody) is Verdict.NEW


@pytest.mark.fault("S7")
def test_whatever_two_people_have_in_common_a_link_needs_one_agreement_and_no_contradiction() -> None:
    names, births = ("Mara", "Bo", None), (BORN, OTHER, None)
    for (first, born), (known, theirs) in product(product(names, births), repeat=2):
        client, patient = Person(first, "Quill", "q@example.com", None, born), Person(known, "Quill", "q", None, theirs)
        linked = said(client, patient) is Verdict.LINK
        agree = client.name_key == patient.name_key or (born is not None and born == theirs)
        against = (born and theirs and born != theirs) or (first and known and first != known)
        assert linked is bool(agree and not against), (client, patient)


def test_names_and_addresses_are_compared_in_one_form() -> None:
    assert normal("  ÉLODIE\u00a0  van  DIJK ") == normal("e\u0301lodie van dijk")
    assert Person(email=" Mara.Quill@EXAMPLE.com\n").email_key == "mara.quill@example.com"


def test_what_the_system_leaves_out_stays_and_only_its_own_patient_is_told_anew() -> None:
    told = Person("Mari", "Quill", None, "+61491570159", None)
    assert refreshed(MARA, told, own=True) == Person("Mari", "Quill", "mara@example.com", "+61491570159", BORN)
    assert refreshed(MARA, told, own=False) == MARA
    gaps = Person("Mara", None, None, None, None)
    assert refreshed(gaps, told, own=False) == Person("Mara", None, None, "+61491570159", None), "a name is one thing"
    assert refreshed(MARA, Person(), own=True) == MARA
