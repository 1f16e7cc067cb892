"""The simulated vendors beside Gentu. A new one is a folder and a line; modules are imported when a simulator starts.

A vendor's package says, in its `__init__`, where it stands and what opens it:

BASE: the path its addresses begin with. ENVIRONMENT: settings that point an adapter at it, with `{address}` for the
simulator's own. CREDENTIALS: what somebody types to connect to it; {} where nothing is typed. Its `hook.add_to`
hangs it on the application.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import cast

from flask import Flask

from app.sandbox.clinic.clock import ClinicClock
from app.sandbox.options import Options

#: (application, options, the clock all simulated clinics share, where journals live) -> hangs the vendor on it.
Hook = Callable[[Flask, Options, ClinicClock, Path | None], None]

#: By the adapter's kind.
VENDORS: tuple[str, ...] = (
    "avimark",
    "cliniko",
    "cornerstone",
    "ezyvet",
    "fhir",
    "halaxy",
    "idexx_neo",
    "intakeq",
    "medirecords",
    "vetspire",
)


def hook(kind: str) -> Hook:
    return cast(Hook, import_module(f"app.sandbox.{kind}.hook").add_to)


def base(kind: str) -> str:
    return str(import_module(f"app.sandbox.{kind}").BASE)


def environment(kind: str, address: str) -> dict[str, str]:
    """Settings that point that adapter at the simulator at `address`."""
    told: Mapping[str, str] = import_module(f"app.sandbox.{kind}").ENVIRONMENT
    return {name: value.format(address=address) for name, value in told.items()}


def credentials(kind: str) -> dict[str, str]:
    """What opens it, by the name of the adapter's field."""
    return dict(import_module(f"app.sandbox.{kind}").CREDENTIALS)
