"""Ids as Halaxy writes them: digits, some behind letters that say what they belong to."""

from __future__ import annotations

from hashlib import blake2b

#: What it is: what stands before the digits, where those of the cast begin, how many digits the others have.
_SHAPES = {
    "person": ("PR-", 7_100_456, 9),
    "kind": ("", 661_200, 8),
    "place": ("CL-", 440_021, 8),
    "patient": ("", 300_455_012, 11),
    "visit": ("", 910_020_301, 12),
}
GROUP = "PG-220014"
#: External contacts, which are listed among the practice's own people; and who runs the place without seeing anybody.
CONTACTS = (("EP-501", "Gail", "Referrer"), ("EP-502", "Hugo", "Elsewhere"))
ADMINISTRATOR = ("PR-7100999", "Ada", "Ledgerwood")


def id_of(vendor: str, what: str, *names: object) -> str:
    """The id of the n-th of the cast, or of something by the names that lead to it; the same at every start."""
    letters, first, digits = _SHAPES.get(what, ("", 1, 9))
    if len(names) == 1 and type(names[0]) is int:
        return f"{letters}{first + names[0]}"
    text = "/".join(str(name) for name in (vendor, what, *names))
    number = int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")
    return f"{letters}{10 ** (digits - 1) + number % (9 * 10 ** (digits - 1))}"


def role_id(person_id: str, room: int) -> str:
    """That person at that place. In the first it is the *next* person's id: two number spaces that look alike."""
    number = int(person_id.removeprefix("PR-"))
    return f"PR-{number + 1 if room == 0 else number + 1_700_000}"
