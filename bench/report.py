"""The page's parts: each measures, and says in Markdown what came out beside what was aimed at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bench import adapters, clinical, fetchers, jobs, memory, peering, sheet, syncing

KINDS = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
WORDS = {"first": "first sync", "unchanged": "unchanged re-sync", "changed": "re-sync with 5 % changed"}

SYNC = """## Syncing

{count:,} appointments of 20 practitioners in pages of 100, from a pre-serialised fake server in its own process;
{rounds}. The *bare minimum* (`bench/bare.py`) is one requests session, msgspec and a driver-level bulk upsert of the
same columns: no limiter, retry, rules, checkpoint, events or sweeps. Repeated, it writes every row again. *Fetching
alone* is the same session getting every page and looking only for the next cursor.

| ours / bare minimum, in time (lower is better) | {kinds} | aim |
|---|---|---|---|
"""
PEER = """
[dlt](https://dlthub.com) loads the same pages from the same server, merged on the appointment's id, in an environment
of its own (`bench/peer`); starting Python and importing it is not counted. *As documented* is a resource with a primary
key and `merge`, which stores the appointments without the patients beside them; it is loaded once, because on SQLite a
second such merge compares every row with every row. *Tuned* is arrow tables of a thousand flat rows, parquet through
ADBC, upsert on PostgreSQL, an indexed key on SQLite.

| dlt / ours, in time: so many times faster is ours (higher is better) | {kinds} | aim |
|---|---|---|---|
"""
NO_PEER = "\nThe peer was not measured: its environment (`.venv-peer`) was not there.\n"
STATEMENTS = """
| SQL statements a page, ours | {kinds} | aim |
|---|---|---|---|
"""
MEMORY = """## Memory

Peak memory of a whole process on SQLite that syncs {large:,} appointments and then once more, beside one that syncs
{small:,}; and beside dlt, tuned, loading the {large:,} once; a single round.

| | ratio | aim |
|---|---|---|
| ours at {large:,} / ours at {small:,} (lower is better) | {flat:.2f} | at most 1.3 |
"""
FETCHERS = """## Fetching in parallel

An unchanged re-sync of {count:,} appointments of 20 practitioners on SQLite, at 30 ms of latency a request, inside the
vendor's limit; {rounds}. Twenty equal chains over 8 fetchers take three turns, so 6.7 is the most there can be.

| | ratio | aim |
|---|---|---|
| so many times sooner with 8 fetchers than with 1 (higher is better) | {ratio:.1f} | at least 5 |
"""
ADAPTERS = """## Adapters

A day of {count:,} visits swept by each adapter over answers recorded at its simulator, in CPU time;
{rounds}. Checked, mapped and handed over as appointments, beside msgspec decoding the same answers into plain objects
and no more. What an adapter asks for besides the list (staff, types, patients) is in both.

| adapter | rows a second, ours / bare decode (higher is better) |
|---|---|
"""
CASES = """## Enrichment and reconciliation

{count:,} cases of an ezyVet site, made before and served by a process of its own, the vendor's limits lifted;
{together} consultations in one question; {rounds}. The bare minimum (`bench/bare_cases.py`) asks the same questions
with one session and four threads, and upserts what it read in the clear; to reconcile it reads the ids, takes the
difference of two sets and strikes out with one statement. Ours opens and compares what was stored, seals what it
writes, joins animals and clients to each visit, and asks for every missing one by its id.

| ours / bare minimum, in time (lower is better) | {kinds} | aim |
|---|---|---|---|
"""
SHEET = """## The run sheet

Under gunicorn with the settings of `runsheet web`, over 8 connections, in requests a second; {rounds}. The bare page is
Flask and Jinja with the same 60 rows in a five-column table; the bare poll answers an empty 204 and looks at nothing.
Ours has a signed-in session, a practice's rights, groups, menus, filters, freshness and the security headers.

| | ours / bare (higher is better) | aim |
|---|---|---|
| the page, 60 rows | {page:.2f} | at least 0.5 |
| the poll, nothing new | {poll:.2f} | at least 0.5 |
"""
JOBS = """## Jobs

Our worker beside RQ's own, one process each, over the same Redis; {rounds}.

| | ours / bare | aim |
|---|---|---|
| from enqueue to start (lower is better) | {start:.2f} | at most 1.3 |
| jobs a second from a full queue (higher is better) | {rate:.2f} | |
"""


@dataclass(frozen=True)
class Asked:
    """How much is measured. `rounds` None: each part's own number."""

    count: int = 100_000
    small: int = 10_000
    large: int = 1_000_000
    fetched: int = 20_000
    cases: int = 10_000
    rounds: int | None = None
    kinds: tuple[str, ...] = tuple(KINDS)

    def rounds_of(self, part: str) -> int:
        return self.rounds or PARTS[part].rounds

    def told(self, part: str) -> str:
        rounds = self.rounds_of(part)
        return "a single round" if rounds == 1 else f"the median of {rounds} alternating rounds"

    @property
    def headings(self) -> str:
        return " | ".join(KINDS[kind] for kind in self.kinds)


def sync(asked: Asked) -> str:
    peer = peering.is_there()
    told = syncing.compare(asked.kinds, asked.count, asked.rounds_of("sync"), peer=peer)
    spent = list(told.values())
    lines = [
        _row("first sync", (of["ours"]["first"] / of["bare"]["first"] for of in spent), "at most 1.5"),
        _row(
            "unchanged re-sync, beside fetching alone",
            (of["ours"]["unchanged"] / of["bare"]["fetched"] for of in spent),
            "at most 1.2",
        ),
        _row("re-sync with 5 % changed", (of["ours"]["changed"] / of["bare"]["changed"] for of in spent), ""),
        _row(
            "what 5 % changed add to an unchanged re-sync, as a share of our first sync",
            ((of["ours"]["changed"] - of["ours"]["unchanged"]) / of["ours"]["first"] for of in spent),
            "proportional",
        ),
    ]
    head = SYNC.format(count=asked.count, rounds=asked.told("sync"), kinds=asked.headings)
    return head + "".join(lines) + (_beside_peer(asked, spent) if peer else NO_PEER) + _statements(asked, spent)


def _beside_peer(asked: Asked, spent: list[dict[str, Any]]) -> str:
    aims = {"first": "at least 1.4", "unchanged": "at least 3", "changed": ""}
    first = (of["documented"]["first"] / of["ours"]["first"] for of in spent)
    lines = [_row("first sync, dlt as documented", first, "at least 5")]
    for part, aim in aims.items():
        lines.append(_row(f"{WORDS[part]}, dlt tuned", (of["tuned"][part] / of["ours"][part] for of in spent), aim))
    return PEER.format(kinds=asked.headings) + "".join(lines)


def _statements(asked: Asked, spent: list[dict[str, Any]]) -> str:
    lines = (
        _row(words, (of["ours"][f"{part} statements a page"] for of in spent), "constant", digits=1)
        for part, words in WORDS.items()
    )
    return STATEMENTS.format(kinds=asked.headings) + "".join(lines)


def peaks(asked: Asked) -> str:
    peer = peering.is_there()
    told = memory.compare(asked.small, asked.large, peer=peer)
    text = MEMORY.format(small=asked.small, large=asked.large, flat=told["large"] / told["small"])
    if not peer:
        return text + NO_PEER
    return text + f"| ours / dlt, tuned, at {asked.large:,} | {told['large'] / told['peer']:.2f} | under 0.5 |\n"


def side_by_side(asked: Asked) -> str:
    ratio = fetchers.compare(30, asked.fetched, asked.rounds_of("fetchers"))
    return FETCHERS.format(count=asked.fetched, rounds=asked.told("fetchers"), ratio=ratio)


def cases(asked: Asked) -> str:
    told = clinical.compare(asked.kinds, asked.cases, asked.rounds_of("cases"))
    names = {
        "enrichment": "enrichment, first",
        "enrichment again": "enrichment of the same once more (`--full`)",
        "reconciliation": f"reconciliation, {len(clinical.hospital.gone(asked.cases))} visits gone",
    }
    head = CASES.format(count=asked.cases, together=clinical.TOGETHER, rounds=asked.told("cases"), kinds=asked.headings)
    return head + "".join(_row(words, (of[part] for of in told.values()), "") for part, words in names.items())


def adapters_read(asked: Asked) -> str:
    count = max(20, asked.count // 100)
    told = adapters.compare(count, asked.rounds_of("adapters"))
    lines = [f"| {label} | {ratio:.2f} |" for label, ratio in sorted(told.items())]
    return ADAPTERS.format(count=count, rounds=asked.told("adapters")) + "\n".join(lines) + "\n"


def pages(asked: Asked) -> str:
    return SHEET.format(rounds=asked.told("pages"), **sheet.compare(asked.rounds_of("pages")))


def starts(asked: Asked) -> str:
    return JOBS.format(rounds=asked.told("jobs"), **jobs.compare(asked.rounds_of("jobs")))


def _row(words: str, figures: Any, aim: str, digits: int = 2) -> str:
    told = " | ".join(f"{figure:.{digits}f}" for figure in figures)
    return f"| {words} | {told} | {aim} |\n"


@dataclass(frozen=True)
class Part:
    """A measurement, and how often it is made where nobody says otherwise."""

    tell: Callable[[Asked], str]
    rounds: int


PARTS = {
    "sync": Part(sync, 3),
    "memory": Part(peaks, 1),
    "fetchers": Part(side_by_side, 3),
    "cases": Part(cases, 2),
    "adapters": Part(adapters_read, 5),
    "pages": Part(pages, 5),
    "jobs": Part(starts, 3),
}
