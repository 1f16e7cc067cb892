"""The clinics by name, as they stand when the simulator opens."""

from __future__ import annotations

from app.errors import SettingsError
from app.sandbox.clinic import cast
from app.sandbox.clinic.big_day import big_day
from app.sandbox.clinic.demo_day import demo_day
from app.sandbox.clinic.practice import Generator, Practice
from app.sandbox.options import CLINICS, Options


def practices(options: Options) -> list[Practice]:
    """The chosen clinic first, then `tenants - 1` further ones with empty books. Raises SettingsError."""
    if options.clinic not in CLINICS:
        raise SettingsError(f"There is no clinic “{options.clinic}”; choose one of {', '.join(CLINICS)}.")
    if min(options.tenants, options.practitioners, options.per_day) < 1:
        raise SettingsError("Tenants, practitioners and appointments per day are counted from 1.")
    first, generate = _chosen(options)
    others = [Practice(cast.further(number), None, options.moves) for number in range(2, options.tenants + 1)]
    return [Practice(first, generate, options.moves), *others]


def _chosen(options: Options) -> tuple[cast.Cast, Generator | None]:
    if options.clinic == "empty":
        return cast.document(), None
    if options.clinic == "big":
        crew = cast.big(options.practitioners, options.per_day)
        return crew, lambda zone, day: big_day(crew, zone, options.seed, day, options.per_day)
    crew = cast.demo()
    return crew, lambda zone, day: demo_day(crew, zone, options.seed, day)
