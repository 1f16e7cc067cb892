"""The furnished practice, for every test of this folder."""

from tests.fakes.house import bare_house, clock_at, house, pms

__all__ = ["bare_house", "clock_at", "house", "pms"]
