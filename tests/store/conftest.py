"""The furnished practice, for every test of this folder."""

from tests.fakes.house import (
    bare_house,
    clock_at,
    fake_is_registered,
    house,
    pms,
    shared_postgresql,
    shared_sqlite,
    store,
)

__all__ = [
    "bare_house",
    "clock_at",
    "fake_is_registered",
    "house",
    "pms",
    "shared_postgresql",
    "shared_sqlite",
    "store",
]
