"""The cast, for tests of pages."""

from tests.web.pages import clinic, doctor, far_clinic, nobody, owner, reception, stranger, time

__all__ = ["clinic", "doctor", "far_clinic", "nobody", "owner", "reception", "stranger", "time"]
