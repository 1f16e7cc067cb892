"""The simulated IntakeQ as a test holds it: orders to it, and a bare HTTP client. No code of the adapter."""

from __future__ import annotations

from typing import Any

import requests

from tests.sandbox.process import RunningSandbox

API_KEY = "intakeq-demo-key-0000000000"
#: Limits nobody meets, for tests that are not about them.
WIDE = {"per_minute": 10_000, "per_day": 100_000}


class Account:
    """`account.book(at=…)["Id"]`; `account.get("/appointments", startDate=…)`."""

    def __init__(self, sandbox: RunningSandbox) -> None:
        self.sandbox = sandbox
        self.url = sandbox.intakeq_url

    def control(self, order: str, /, **body: Any) -> dict[str, Any]:
        return self.sandbox.control(f"intakeq/{order}", **body)

    def fresh(self, at: str | None = None, **knobs: Any) -> Account:
        """As freshly opened, its clock at that instant, its limits wide unless the test says otherwise."""
        self.sandbox.control("clock", **({"at": at} if at else {}))
        self.control("reset")
        self.control("knobs", **{**WIDE, **knobs})
        return self

    def book(self, at: str, **more: Any) -> dict[str, Any]:
        """The appointment as the vendor would send it."""
        return self.control("book", at=at, **more)["appointment"]

    def state(self) -> dict[str, Any]:
        return self.sandbox.read("intakeq/state")

    def asked(self, route: str = "") -> list[dict[str, Any]]:
        """What came in, of one route or of all."""
        return [one for one in self.state()["log"] if route in ("", one["route"])]

    def get(self, path: str, key: str | None = API_KEY, **query: Any) -> requests.Response:
        with requests.Session() as session:
            session.trust_env = False
            headers = {"X-Auth-Key": key} if key else {}
            return session.get(self.url + path, params=query, headers=headers, timeout=20, allow_redirects=False)
