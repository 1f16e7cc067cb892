"""One word for how a connection does, one sentence, one thing to press (A04-A06)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from app.domain.freshness import Age, Freshness
from app.domain.names import duration_words
from app.domain.reasons import Action, explain


class HealthWord(StrEnum):
    DRAFT = "not paired"
    PAUSED = "paused"
    DISCONNECTED = "disconnected"
    NEEDS_YOU = "needs you"  # a person has to do something
    WAITING = "first sync to come"
    HEALING = "heals itself"  # the last sync did not end well, in a way that passes
    LATE = "late"
    PARTIAL = "partly fresh"
    HEALTHY = "healthy"


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a connection at one moment."""

    pms: str
    state: str
    state_reason: str | None
    last_status: str | None
    last_reason: str | None
    age: Age
    typed: bool = False  # the practice typed its credentials itself


@dataclass(frozen=True, slots=True)
class Health:
    word: HealthWord
    sentence: str
    action: Action | None
    heals_itself: bool = True

    @property
    def good(self) -> bool:
        return self.word is HealthWord.HEALTHY


def _by_state(facts: Facts) -> Health | None:
    told = explain(facts.state_reason or facts.last_reason, facts.pms, typed=facts.typed)
    return {
        "draft": Health(
            HealthWord.DRAFT, f"{facts.pms} is not paired yet; nothing is read.", Action.PAIR_AGAIN, heals_itself=False
        ),
        "paused": Health(
            HealthWord.PAUSED,
            "Somebody paused this connection; the sheet does not change until it is resumed.",
            None,
            heals_itself=False,
        ),
        "disconnected": Health(
            HealthWord.DISCONNECTED, "This connection was ended. Its history stays.", None, heals_itself=False
        ),
        "needs_attention": Health(HealthWord.NEEDS_YOU, told.sentence, told.action, heals_itself=False),
    }.get(facts.state)


def health_of(facts: Facts) -> Health:
    """The word for a connection. A state a person must change comes before anything a sync said."""
    by_state = _by_state(facts)
    if by_state is not None:
        return by_state
    told = explain(facts.last_reason, facts.pms, typed=facts.typed)
    if facts.last_status is None:
        return Health(HealthWord.WAITING, "No sync has ended yet; the first one starts within a minute.", None)
    if facts.last_status in ("failed", "deferred", "abandoned"):
        word = HealthWord.HEALING if told.heals_itself else HealthWord.NEEDS_YOU
        return Health(word, told.sentence, told.action, told.heals_itself)
    if facts.age.word in (Freshness.STALE, Freshness.NEVER):
        ago = "never" if facts.age.seconds is None else f"{duration_words(facts.age.seconds)} ago"
        return Health(
            HealthWord.LATE,
            f"The last complete read was {ago}, longer than planned. Check that the workers run.",
            Action.SYNC_NOW,
        )
    if facts.last_status == "partial":
        return Health(HealthWord.PARTIAL, told.sentence, told.action, told.heals_itself)
    seconds = duration_words(facts.age.seconds or 0)
    return Health(HealthWord.HEALTHY, f"Read {seconds} ago; {facts.pms} answers.", None)
