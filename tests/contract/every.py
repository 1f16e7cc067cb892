"""The cases there are, by kind. A new vendor's joins by being a file in `cases`."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from tests.contract import cases
from tests.contract.case import Case

CASES: dict[str, Case] = {
    one.kind: one
    for one in (import_module(f"tests.contract.cases.{found.name}").CASE for found in iter_modules(cases.__path__))
}
