"""The drawing of the house, kept true: who may import whom, and habits nobody may fall back into."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
APP = ROOT / "app"
SOURCES = sorted(APP.rglob("*.py"))
PAGES = sorted([*(ROOT / "templates").rglob("*.html"), *APP.rglob("*.html")])
MOST_LINES, MOST_LINES_OF_A_FUNCTION = 400, 50

#: Modules outside every room that all but domain, security and sandbox may use.
COMMON = {"errors", "clock", "logs"}
#: What puts the parts together; whatever it needs, and nobody asks it for more.
WIRING = {"__init__", "wiring", "parts"}


@dataclass(frozen=True)
class Room:
    """What a room may import of ours (a module, or one below it), and what of others it must never see."""

    ours: set[str]
    never: set[str]


#: Pure libraries: they compute, and neither read nor write.
PURE = {"cronsim", "phonenumbers", "argon2", "cryptography", "zxcvbn"}
FRAMEWORKS = {"flask", "werkzeug", "jinja2", "sqlalchemy", "flask_sqlalchemy", "alembic", "requests", "redis", "rq"}
ROOMS = {
    "domain": Room({"errors"}, FRAMEWORKS),
    "security": Room({"errors"}, FRAMEWORKS),
    "pms": Room(COMMON | {"domain", "config"}, {"flask", "werkzeug", "jinja2", "sqlalchemy", "rq"}),
    "store": Room(COMMON | {"domain", "security"}, {"requests", "redis", "rq", "msgspec"}),
    "sync": Room(COMMON | {"domain", "security", "pms", "store", "config"}, {"flask", "werkzeug", "rq", "redis"}),
    # A tick asks what a vendor's adapter offers: the registry, never an adapter.
    "jobs": Room(
        COMMON | {"domain", "security", "store", "sync", "config", "parts", "pms.registry"},
        {"flask", "werkzeug", "jinja2", "requests", "msgspec"},
    ),
    "sandbox": Room({"clock", "errors"}, {"sqlalchemy", "requests", "redis", "rq", "tenacity"}),
    "web": Room(
        COMMON | WIRING | {"config", "domain", "security", "store", "jobs", "sync.preview"},
        {"requests", "rq", "msgspec", "tenacity"},
    ),
    "api": Room(COMMON | WIRING | {"config", "domain", "security", "store", "jobs"}, {"requests", "rq", "tenacity"}),
    # The operator's own commands: doctor looks at adapters from outside, `runsheet sandbox` and the demo start one.
    "cli": Room(
        COMMON
        | WIRING
        | {"config", "domain", "security", "store", "jobs", "sync"}
        | {"pms.registry", "pms.factory", "pms.errors", "sandbox.__main__"},
        {"jinja2", "tenacity"},
    ),
}
#: Only these names of the settings may be seen where a room is handed what it needs.
ONLY_NAMES = {("pms", "config"): {"VendorSettings"}, ("sync", "config"): {"VendorSettings"}}


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def module(path: Path) -> str:
    return ".".join(path.relative_to(APP).with_suffix("").parts)


def imports(path: Path) -> Iterator[tuple[str, str]]:
    """(module, name) of all a file imports, wherever in it; `from app.sync import preview` is app.sync.preview."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            assert node.level == 0, f"{module(path)}: imports are absolute here"
            for alias in node.names:
                below = f"{node.module}.{alias.name}"
                yield (below, "") if is_module(below) else (node.module, alias.name)


def is_module(name: str) -> bool:
    path = ROOT / name.replace(".", "/")
    return name.startswith("app.") and (path.is_dir() or path.with_suffix(".py").is_file())


def room_of(path: Path) -> str:
    return path.relative_to(APP).parts[0].removesuffix(".py")


def walls() -> Iterator[str]:
    """Every import that goes through a wall, as a sentence."""
    for path in SOURCES:
        name = room_of(path)
        if name not in ROOMS:
            continue
        room = ROOMS[name]
        for target, what in imports(path):
            inner = target.removeprefix("app.")
            if target == "app":
                continue  # the package's own names: create_app
            if not target.startswith("app."):
                if target.split(".")[0] in room.never:
                    yield f"{module(path)} must not see {target}"
            elif inner.split(".")[0] != name and not any(f"{inner}.".startswith(f"{one}.") for one in room.ours):
                yield f"{module(path)} must not import {target}"
            elif what not in ONLY_NAMES.get((name, inner), {what}):
                yield f"{module(path)} must not import {what} of {target}"


def test_nobody_goes_through_a_wall() -> None:
    assert list(walls()) == []


def test_every_room_is_on_the_drawing() -> None:
    alone = COMMON | WIRING | {"config"}
    assert {room_of(path) for path in SOURCES} - alone <= set(ROOMS)


def test_domain_and_security_use_pure_libraries_only() -> None:
    import sys  # noqa: PLC0415

    for path in SOURCES:
        if room_of(path) in ("domain", "security"):
            foreign = {target.split(".")[0] for target, _ in imports(path)} - {"app"} - sys.stdlib_module_names
            assert foreign <= PURE, f"{module(path)} uses {foreign - PURE}"


def test_adapters_are_named_in_the_registry_alone() -> None:
    """A vendor's folder is imported by itself and by nobody else: the house asks flags, never names."""
    vendors = {path.name for path in (APP / "pms").iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert vendors
    for path in SOURCES:
        for target, _ in imports(path):
            parts = target.split(".")
            if parts[:2] == ["app", "pms"] and len(parts) > 2 and parts[2] in vendors:
                assert path.is_relative_to(APP / "pms" / parts[2]), f"{module(path)} imports {target}"


# --- habits -----------------------------------------------------------------------------------------------------------


def calls(path: Path) -> Iterator[tuple[int, str, ast.Call]]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield node.lineno, node.func.attr, node


@pytest.mark.promise("P20")
def test_no_time_without_a_zone() -> None:
    """Naive times made one daily job fire up to 361 times (faults 4.2)."""
    for path in SOURCES:
        for line, name, call in calls(path):
            naive = name in ("utcnow", "utcfromtimestamp") or (name == "now" and not call.args and not call.keywords)
            ours = name == "now" and isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value) == "clock"
            world = name == "now" and ast.unparse(call.func).endswith(("clock.now", "_clock.now"))
            assert not naive or ours or world, f"{module(path)}:{line} {ast.unparse(call)}"
            assert ast.unparse(call.func) not in ("date.today", "datetime.today"), f"{module(path)}:{line}"


def test_nobody_switches_certificates_off() -> None:
    for path in SOURCES:
        for line, name, call in calls(path):
            off = [word for word in call.keywords if word.arg == "verify" and ast.unparse(word.value) == "False"]
            assert not off, f"{module(path)}:{line}"
            assert name != "_create_unverified_context", f"{module(path)}:{line}"


def test_a_broad_except_raises_again_files_the_trace_or_gives_its_reason() -> None:
    """A job's time limit was once swallowed by one (F59)."""
    for path in SOURCES:
        lines = path.read_text().splitlines()
        for node in ast.walk(tree(path)):
            if not isinstance(node, ast.ExceptHandler):
                continue
            caught = ast.unparse(node.type) if node.type is not None else ""
            if caught and not re.search(r"\b(Base)?Exception\b", caught):
                continue
            line = lines[node.lineno - 1]
            body = ast.unparse(node)
            reasoned = re.search(r"noqa: BLE001 - \w+", line) is not None
            open_about_it = re.search(r"^\s+raise\b", body, re.M) or ".exception(" in body
            assert caught, f"{module(path)}:{node.lineno} a bare except"
            assert reasoned or open_about_it, f"{module(path)}:{node.lineno} {line.strip()}"


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_files_and_functions_can_be_read_at_a_sitting() -> None:
    long = [f"{module(path)}: {n}" for path in SOURCES if (n := len(path.read_text().splitlines())) > MOST_LINES]
    for path in SOURCES:
        for one in functions(path):
            length = (one.end_lineno or 0) - one.lineno + 1
            if length > MOST_LINES_OF_A_FUNCTION:
                long.append(f"{module(path)}.{one.name}: {length}")
    assert long == []


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        (r"\|\s*safe\b", "what a vendor or a person typed is escaped, always"),
        (r"<script(?![^>]*\bsrc=)", "no inline script: the policy forbids it"),
        (r"\sstyle\s*=", "no inline style: the policy forbids it"),
        (r"\son[a-z]+\s*=", "no inline handlers: the policy forbids them"),
        (r"\bhx-on\b", "htmx may evaluate nothing"),
    ],
)
def test_no_page_needs_what_the_content_security_policy_forbids(pattern: str, why: str) -> None:
    found = [str(page.relative_to(ROOT)) for page in PAGES if re.search(pattern, page.read_text(), re.I)]
    assert found == [], why


#: Where escaping is off, for speed, and what is written there as it stands: ids, numbers, times and markup of our own.
UNESCAPED = "templates/runsheet/_row.html"
AS_IT_STANDS = {
    *("id", "version", "css", "line", "start_at", "start_iso", "time", "length", "shape", "came", "csrf"),
    *("person", "chips", "running", "step", "moves"),
}


def test_where_escaping_is_off_every_text_of_anybody_is_escaped_by_hand() -> None:
    off = {str(page.relative_to(ROOT)): page.read_text() for page in PAGES if "autoescape" in page.read_text()}
    assert set(off) == {UNESCAPED}
    inside = off[UNESCAPED].partition("{% autoescape false %}")[2].partition("{% endautoescape %}")[0]
    assert "{% set person = name|e %}" in inside
    written = {one.strip() for one in re.findall(r"{{(.*?)}}", inside)}
    assert {one for one in written if one not in AS_IT_STANDS} == {"word|e", "what|e", "note|e"}


# --- the tests of these tests -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("where", "line"),
    [
        ("domain/x.py", "import flask"),
        ("domain/x.py", "from app import clock"),
        ("security/x.py", "from app.store import db"),
        ("pms/x.py", "from app.config import Settings"),
        ("pms/x.py", "from app.store import tokens"),
        ("store/x.py", "from app.pms import errors"),
        ("sync/x.py", "from rq import Queue"),
        ("sandbox/x.py", "from app.pms.gentu import wire"),
        ("web/x.py", "from app.sync import engine"),
        ("web/x.py", "from app.sync.run import Runner"),
        ("web/x.py", "from app.pms.errors import PmsError"),
        ("web/x.py", "import app.cli"),
        ("cli/x.py", "from app.web import day"),
        ("jobs/x.py", "def late():\n    from app.pms.http import PmsHttp"),
    ],
)
def test_a_hole_in_a_wall_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, line: str) -> None:
    path = tmp_path / "app" / where
    path.parent.mkdir(parents=True)
    path.write_text(f"{line}\n")
    here = globals()
    monkeypatch.setitem(here, "APP", tmp_path / "app")
    monkeypatch.setitem(here, "SOURCES", [path])
    assert len(list(walls())) == 1
