"""How this server differs from the next one: what it offers, how it pages, in which dialect it writes."""

from __future__ import annotations

from typing import Literal

from app.sandbox.fhir.keys import ALGORITHMS, Jwk
from app.sandbox.stage.stage import Knobs


class FhirKnobs(Knobs, kw_only=True, forbid_unknown_fields=True):
    """token_ttl_s is the 300 s that SMART recommends.

    auth: who is let in: with a SMART token, with the fixed one, or anybody. jwks: keys registered beside the demo's.
    granted: scopes that are granted at most; None: whatever is asked for. version_1: scopes are spelt `.read`.
    without: resources that are not there. read_only: resources that may be read by id and not be searched.
    includes, last_updated: whether they are offered. ignores: parameters that are passed over in silence, listed or
    not. needs_person: a search of appointments must name exactly one kind of actor beside the date. quiet: the
    statement lists resources without their parameters.
    page_cap: matches of a page at most. page_ttl_s: how long a page's address is known.
    next_link: where the next page is said to be: here, relative to the base, on another host with the same path, on
    plain http, at the page that asked, on somebody else's server altogether, or nowhere.
    clock: by whose an assertion must be fresh: the real one, or the clinic's where the caller's stands with it.
    link: how a video link is written. references: how the actors are. roles: clinicians take part by their roles.
    """

    token_ttl_s: float = 300
    auth: Literal["smart", "token", "open"] = "smart"
    fixed_token: str = "fhir-demo-fixed-token"  # noqa: S105 - public on purpose
    algorithms: tuple[str, ...] = ALGORITHMS
    jwks: tuple[Jwk, ...] = ()
    granted: tuple[str, ...] | None = None
    version_1: bool = False
    clock: Literal["real", "clinic"] = "real"
    discovery: bool = True
    fhir_version: str = "4.0.1"
    without: tuple[str, ...] = ()
    read_only: tuple[str, ...] = ()
    includes: bool = True
    last_updated: bool = True
    ignores: tuple[str, ...] = ()
    needs_person: bool = False
    quiet: bool = False
    page_cap: int = 100
    page_ttl_s: float = 300
    next_link: Literal["here", "relative", "other_host", "http", "loop", "elsewhere", "none"] = "here"
    total: bool = True
    mode: bool = True
    link: Literal["nested", "single", "person", "rooms", "detail", "meeting", "code", "none"] = "nested"
    references: Literal["relative", "absolute", "versioned"] = "relative"
    roles: bool = False
