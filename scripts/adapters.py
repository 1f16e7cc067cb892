"""Writes docs/adapters.md: what each adapter declares, and what its vendor is asked in a day, counted at simulators.

    python scripts/adapters.py [--words]

--words: only what is declared is written anew; the requests stay as they were counted.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from app import create_app  # noqa: E402
from app.config import Settings  # noqa: E402
from app.domain.status import Status  # noqa: E402
from app.pms.registry import ADAPTERS, HOSTS, adapter_class  # noqa: E402
from app.pms.tools import AdapterClass  # noqa: E402
from app.security.vault import Vault  # noqa: E402
from app.store.db import Store  # noqa: E402
from app.wiring import migrate_database  # noqa: E402
from tests.contract.every import CASES  # noqa: E402
from tests.contract.spending import Spending, budget, spent  # noqa: E402
from tests.fixtures.databases import KEY, settings_for  # noqa: E402
from tests.sandbox.process import running_sandbox  # noqa: E402

PAGE = ROOT / "docs" / "adapters.md"
_OFFERS: tuple[tuple[str, str], ...] = (
    ("incremental", "changes"),
    ("consultations", "notes"),
    ("discovery", "discovery"),
    ("telehealth_links", "links"),
    ("per_patient_status", "per patient"),
    ("lookup_by_id", "by id"),
    ("schedule_config", "hours"),
    ("writes", "told of"),
    ("webhooks", "webhooks"),
)
_INTRO = """# Adapters

*Written by `python scripts/adapters.py` from what the adapters declare and from requests counted at the simulators. Do
not edit it: a test holds it against the code.*

Each adapter speaks its vendor's own protocol and meets one conformance kit (`tests/contract`) in front of a simulator
that was written from the vendor's documents alone and shares no code with it. **None of them was ever run against a
live system.** How sure we are of each fact is told in three parts: what the vendor documents, what was seen in other
people's code, and what is ours. What is ours stands behind one constant or function in the adapter's folder.
"""
_TABLE = """## What each offers

*changes*: it tells what changed since an instant, so that whole days need not be read every few minutes. *notes*: of
finished visits. *discovery*: finding patients nobody knew. *links*: the one a guest joins by. *per patient*: a status
for each patient of a group. *by id*: whether a visit still exists can be asked. *hours*: when the practice is open.
*told of*: what it can be told of a visit, where a practice wants that (off unless somebody ticks it). *webhooks*: no
adapter has them yet.
"""
_SPENT = """## What a day costs

A typical practice (the simulated clinic, its whole day telehealth) with the schedule nobody has changed: today and
tomorrow every 15 minutes, what is near in between as often as a quarter of the budget allows, three weeks once a night.
Discovery runs only where somebody schedules it and is not in it. *Allowed* is what syncs may spend that nobody waits
for; a test counts the requests anew and refuses a day that costs more.
"""
_RECIPE = """## Adding one

1. **The adapter**, `app/pms/<kind>/`: `settings.py` (what is typed, where it is asked, the published limits), `wire.py`
   (the vendor's shapes, record by record), `mapping.py` (pure functions to `app.domain.appointment`), `adapter.py` (the
   class of `app/pms/port.py`). Take what is there: `http` (limits, retry, one log line without content), `tokens` and
   `minting`, `rows` (a bad record is set aside with its path), `paging.chain` (loops are noticed), `health_of`, and
   `offers` for what the vendor cannot do. A fetch ends complete or raises a `PmsError`; an error is never an empty
   list. What is assumed stands behind one constant or function and is named in `evidence`.
2. **Credentials** say where in the vendor's own screens each value is found. `secret`, `required`, `choices` (one of a
   few) and `lines` (a private key) are all the wizard and `runsheet connections add` need to draw themselves.
3. **One line** in `ADAPTERS` (`app/pms/registry.py`), and the vendor's documented hosts in `HOSTS`. `domain`, `sync`,
   `store`, `web` and `migrations` need no edit.
4. **The simulator**, `app/sandbox/<kind>/`, written from the vendor's page alone, over `app/sandbox/stage` (the clinic,
   its moving day, orders, faults, limits, tokens): `__init__.py` (BASE, ENVIRONMENT, CREDENTIALS), `hook.py`,
   `wire.py`, `views.py`; one line in `app/sandbox/vendors.py`. It refuses what the vendor refuses.
5. **The case**, `tests/contract/cases/<kind>.py`: the words for each state, a word nobody knows, records nobody can
   read, where the list and the log-in are, what this vendor lacks and why. The kit, the browser's walk through the
   wizard, the demo's page and the measurements take the new kind from there and from the registry.
6. **Its own tests**, `tests/pms/<kind>` and `tests/sandbox/test_<kind>.py`: what is this vendor's alone.
7. `python scripts/adapters.py` writes this page anew.
"""


def page(spendings: Mapping[str, Spending]) -> str:
    """The whole document. spendings: by kind; a kind that is not asked over HTTP has none."""
    classes = [adapter_class(kind) for kind in sorted(ADAPTERS, key=lambda kind: adapter_class(kind).label.lower())]
    parts = [_INTRO, _TABLE + "\n" + "\n".join(_offers(classes)) + "\n"]
    parts.append(_SPENT + "\n" + "\n".join(_costs(classes, spendings)) + "\n")
    parts += [_section(cls) for cls in classes]
    return "\n".join([*parts, _RECIPE])


def _offers(classes: Iterable[AdapterClass]) -> list[str]:
    lines = [
        f"| system | connects with | {' | '.join(title for _, title in _OFFERS)} |",
        f"|---|---|{'---|' * len(_OFFERS)}",
    ]
    for cls in classes:
        marks = [_mark(getattr(cls.capabilities, name)) for name, _ in _OFFERS]
        with_ = "a one-time code" if cls.pairing else "typed credentials"
        lines.append(f"| {cls.label} | {with_} | {' | '.join(marks)} |")
    return lines


def _mark(offered: bool | tuple[Status, ...]) -> str:
    if not offered:
        return "–"
    return "yes" if offered is True else ", ".join(one.value.replace("_", " ") for one in offered)


def _costs(classes: Iterable[AdapterClass], spendings: Mapping[str, Spending]) -> list[str]:
    lines = [
        "| system | an hour's ordinary syncs | one look in between | every | a night's | a whole day | allowed |",
        "|---|---|---|---|---|---|---|",
    ]
    return lines + [cost_line(cls.kind, spendings.get(cls.kind)) for cls in classes]


def cost_line(kind: str, found: Spending | None) -> str:
    label = adapter_class(kind).label
    if found is None:
        return f"| {label} | it is not asked over HTTP | | | | | |"
    allowed, why = budget(kind)
    every = "not at all" if found.near_minutes is None else f"{found.near_minutes} min"
    figures = f"{found.hour:,} | {found.near:,} | {every} | {found.night:,} | {found.day:,}"
    return f"| {label} | {figures} | {allowed:,} ({why}) |"


def _section(cls: AdapterClass) -> str:
    limits = cls.limits
    figures = [f"{limits.per_minute:,} requests a minute"]
    if limits.per_hour < limits.per_minute * 60:  # else the minute's is the narrower one
        figures.append(f"{limits.per_hour:,} an hour")
    if limits.per_day:
        figures.append(f"{limits.per_day:,} in any 24 hours")
    hosts = [f"`{host}` ({what.replace('_', ' ')})" for host, what in sorted(HOSTS.items()) if _is_of(cls, host)]
    typed = [
        f"- **{field.label}** (`{field.name}`{'' if field.required else ', optional'}"
        f"{', secret' if field.secret else ''}): {field.help}"
        for field in cls.credentials
    ]
    code = [f"- **Pairing code** of {cls.pairing.length} characters: {cls.pairing.help}"] if cls.pairing else []
    lines = [
        f"## {cls.label}",
        "",
        f"`{cls.kind}`. Limits kept to: {', '.join(figures)}."
        + (f" Known hosts: {', '.join(hosts)}." if hosts else ""),
        "",
        *code,
        *typed,
        "",
        f"- *Documented.* {cls.evidence.documented}",
        f"- *Seen in code.* {cls.evidence.seen_in_code}",
        f"- *Ours.* {cls.evidence.ours}",
        f"- *Run against a live system:* {'yes' if cls.evidence.run_live else 'never'}.",
        "",
    ]
    return "\n".join(lines)


#: Words of hosts that do not hold their adapter's kind.
_HOSTED = {"magentus": "gentu"}


def _is_of(cls: AdapterClass, host: str) -> bool:
    return cls.kind.replace("_", "") in host or any(kind == cls.kind and word in host for word, kind in _HOSTED.items())


def figures_of(text: str) -> dict[str, Spending]:
    """The requests a written page tells, by kind; what pairing costs is not on it."""
    found = {}
    for kind in ADAPTERS:
        label = re.escape(adapter_class(kind).label)
        if match := re.search(
            rf"^\| {label} \| ([\d,]+) \| ([\d,]+) \| (\d+ min|not at all) \| ([\d,]+) \|", text, re.M
        ):
            hour, between, every, night = match.groups()
            minutes = int(every.split()[0]) if every[0].isdigit() else None
            found[kind] = Spending(0, _number(hour), _number(between), minutes, _number(night))
    return found


def _number(text: str) -> int:
    return int(text.replace(",", ""))


def count() -> dict[str, Spending]:
    """Every vendor that is asked over HTTP, at a simulator of our own and in a database nobody keeps."""
    found = {}
    with tempfile.TemporaryDirectory() as folder, running_sandbox("demo", paired=True) as sandbox:
        settings: Settings = settings_for(Path(folder), f"sqlite:///{folder}/counted.db")
        migrate_database(settings)
        app = create_app(settings)
        store: Store = app.extensions["runsheet.store"]
        for kind in sorted(CASES.keys() & ADAPTERS.keys()):
            if CASES[kind].list_path is not None:
                print(f"counting {kind}", file=sys.stderr)
                with app.app_context():
                    found[kind] = spent(CASES[kind], sandbox, store, Vault(KEY))
    return found


if __name__ == "__main__":
    spendings = figures_of(PAGE.read_text()) if "--words" in sys.argv else count()
    PAGE.write_text(page(spendings))
    print(f"{PAGE.relative_to(ROOT)} is written.")
