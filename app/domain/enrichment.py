"""What an answer about a consultation means for its case, and which cases are asked about again."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from app.domain.consultation import Consultation, ConsultationRef, Consulted


class Enrichment(StrEnum):
    """What the last answer was. What was read before it stays with the case, whatever it says."""

    PENDING = "pending"  # never asked
    ENRICHED = "enriched"  # whole, and nothing more will be written
    OPEN = "open"  # read, but still being written, or not whole
    NONE_YET = "none_yet"  # the visit has none
    NOT_FOUND = "not_found"  # the vendor knows none of that id: asked again by a full run only
    FAILED = "failed"


#: Why a case of the window was not asked about.
ALREADY = "already_enriched"
NOT_FOUND_BEFORE = "not_found_before"
#: The visit has no consultation; nothing is wrong.
NONE_YET = "none_yet"
#: Causes of leaving a case as it was that are no failure, as a person reads them; any other is a failure's reason.
CAUSE_WORDS = {
    ALREADY: "{n} read before and unchanged",
    NOT_FOUND_BEFORE: "{n} not found before",
    NONE_YET: "{n} without a consultation",
}
#: The reason of an answer whose parts the vendor did not all let us read.
PARTS_MISSING = "parts_missing"
#: An answer that cannot be about what was asked, or none at all.
NO_ANSWER = "bad_envelope"


def is_due(state: Enrichment, *, told_otherwise: bool) -> bool:
    """Whether to ask about a case again, in a run that is no full one.

    told_otherwise: the appointment is not as it was when its consultation was read.
    """
    if state is Enrichment.ENRICHED:
        return told_otherwise
    return state is not Enrichment.NOT_FOUND


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a case. reason: why it is a failure, or None."""

    state: Enrichment
    reason: str | None = None
    consultation: Consultation | None = None

    @property
    def failed(self) -> bool:
        return self.reason is not None


def judge(ref: ConsultationRef, answer: Consulted | None) -> Verdict:
    """Read one answer. One that speaks of another visit or another consultation is no answer: notes must never end up
    with somebody else's patient."""
    if answer is None:
        return Verdict(Enrichment.FAILED, NO_ANSWER)
    if answer.consultation is not None:
        return _judged(ref, answer.consultation)
    if answer.reason == Enrichment.NONE_YET:
        return Verdict(Enrichment.NONE_YET)
    state = Enrichment.NOT_FOUND if answer.reason == Enrichment.NOT_FOUND else Enrichment.FAILED
    return Verdict(state, answer.reason or NO_ANSWER)


def _judged(ref: ConsultationRef, found: Consultation) -> Verdict:
    if not _is_about(ref, found):
        return Verdict(Enrichment.FAILED, NO_ANSWER)
    if found.missing:
        return Verdict(Enrichment.OPEN, PARTS_MISSING, found)
    return Verdict(Enrichment.ENRICHED if found.finalised else Enrichment.OPEN, None, found)


def _is_about(ref: ConsultationRef, found: Consultation) -> bool:
    return found.appointment_id == ref.appointment_id and ref.consultation_id in (None, found.external_id)
