"""Whom a discovery has met: a patient we know, one we may know, or somebody new. Pure.

An address or a name is shared by families, by twins, by father and son; only the PMS's own id tells people apart. So an
e-mail address joins a client to a patient only where nothing speaks against it (faults S7), and everything else that
shares one is for a person to judge: two records of one patient are a nuisance, one record of two is a danger.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from typing import TypeVar
from uuid import UUID


class Verdict(StrEnum):
    NEW = "new"  # nobody shares the address: a patient of their own
    LINK = "link"  # the one patient who has it: the client's id is written beside them
    REVIEW = "review"  # a person says who it is


class Doubt(StrEnum):
    """Why a person has to look."""

    SEVERAL = "several"  # more than one patient has the address
    OTHER_ID = "other_id"  # the one who has it is another client of the same system
    DISAGREE = "disagree"  # neither name nor birth date says it is the same person
    CONTRADICT = "contradict"  # one of them says so, and the other says the opposite


@dataclass(frozen=True, slots=True)
class Person:
    """What is told of somebody: by the PMS of a client, or by us of a patient. Nothing but the names is required."""

    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    phone: str | None = None  # E.164 where it can be
    birth_date: date | None = None

    @property
    def name_key(self) -> str:
        return normal(f"{self.first_name or ''} {self.last_name or ''}")

    @property
    def email_key(self) -> str | None:
        """None where there is none, or what stands there is no address and so nobody's."""
        key = normal(self.email or "").replace(" ", "")
        return key if "@" in key else None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A patient who shares a client's address. has_id: some client of this very system is known to be them."""

    patient_id: UUID
    person: Person
    has_id: bool


@dataclass(frozen=True, slots=True)
class Judgement:
    verdict: Verdict
    patient_id: UUID | None = None  # of a LINK
    doubt: Doubt | None = None  # of a REVIEW


def normal(text: str) -> str:
    """A name or an address as it is compared: one form of each letter, small, single blanks, none around."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def judge(client: Person, sharing: Sequence[Candidate]) -> Judgement:
    """Who a client is whose id is not known. sharing: every patient of the practice with the client's address."""
    if client.email_key is None or not sharing:
        return Judgement(Verdict.NEW)
    if len(sharing) > 1:
        return Judgement(Verdict.REVIEW, doubt=Doubt.SEVERAL)
    (one,) = sharing
    if one.has_id:
        return Judgement(Verdict.REVIEW, doubt=Doubt.OTHER_ID)
    if doubt := _doubt(client, one.person):
        return Judgement(Verdict.REVIEW, doubt=doubt)
    return Judgement(Verdict.LINK, one.patient_id)


def _doubt(client: Person, patient: Person) -> Doubt | None:
    """None where name or birth date agree and the other does not say the opposite.

    Of two birth dates that differ one is somebody else's (father and son). Of two given names that differ as well: the
    born-on-one-day who share an address are twins more often than one person by two names.
    """
    same_name = bool(client.name_key) and client.name_key == patient.name_key
    both_born = client.birth_date is not None and patient.birth_date is not None
    same_birth = both_born and client.birth_date == patient.birth_date
    if not (same_name or same_birth):
        return Doubt.DISAGREE
    other_birth = both_born and not same_birth
    given, known = normal(client.first_name or ""), normal(patient.first_name or "")
    return Doubt.CONTRADICT if other_birth or (given and known and given != known) else None


def refreshed(known: Person, told: Person, *, own: bool) -> Person:
    """A patient after the PMS has told of them. What it leaves out stays.

    own: this system is the one whose word the patient stands on; any other fills gaps and overwrites nothing.
    """
    first, second = (told, known) if own else (known, told)
    named = first if first.name_key else second
    return replace(
        known,
        first_name=named.first_name,
        last_name=named.last_name,
        email=_either(first.email, second.email),
        phone=_either(first.phone, second.phone),
        birth_date=_either(first.birth_date, second.birth_date),
    )


Value = TypeVar("Value")


def _either(first: Value | None, second: Value | None) -> Value | None:
    return second if first is None else first
