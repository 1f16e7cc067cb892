"""Any simulated vendor of `app/sandbox/stage` as a test holds it: orders to it, and what it was asked."""

from __future__ import annotations

from typing import Any

from tests.sandbox.process import RunningSandbox

#: Limits nobody meets, for tests that are not about them.
WIDE: dict[str, Any] = {"limits": [[100_000, 60]]}


class StagedClinic:
    """`clinic.book(at="2026-03-09T10:00:00+11:00", state="arrived")` returns the clinic's id of the visit."""

    def __init__(self, sandbox: RunningSandbox, kind: str) -> None:
        self.sandbox, self.kind = sandbox, kind
        self.url = sandbox.url_of(kind)
        self.credentials: dict[str, str] = dict(sandbox.vendors[kind]["credentials"])
        #: Settings that point the adapter here.
        self.environment: dict[str, str] = dict(sandbox.vendors[kind]["environment"])

    def fresh(self, at: str | None = None, **knobs: Any) -> StagedClinic:
        """As freshly opened, its clock at that instant, its limits wide unless the test says otherwise."""
        self.sandbox.control("clock", **({"at": at} if at else {}))
        self.control("reset")
        self.control("knobs", **{**WIDE, **knobs})
        return self

    def control(self, order: str, /, **body: Any) -> dict[str, Any]:
        return self.sandbox.control(f"{self.kind}/{order}", **body)

    def book(self, at: str, **more: Any) -> str:
        return self.books(at, **more)[0]

    def books(self, at: str, **more: Any) -> list[str]:
        """`count` of them, one minute apart; their ids."""
        return [str(one) for one in self.control("book", at=at, **more)["ids"]]

    def change(self, visit_id: str, **more: Any) -> None:
        self.control("change", id=visit_id, **more)

    def cancel(self, visit_id: str, reason: str | None = None) -> None:
        self.control("cancel", id=visit_id, reason=reason)

    def delete(self, visit_id: str) -> None:
        self.control("delete", id=visit_id)

    def raw(self, record_id: str, drop: tuple[str, ...] = (), **fields: Any) -> None:
        """Members of the vendor's own record, as they shall be sent."""
        self.control("raw", id=record_id, fields=fields, drop=list(drop))

    def fault(self, kind: str, **options: Any) -> None:
        self.control("faults", kind=kind, **options)

    def mend(self) -> None:
        self.control("faults/clear")

    def end_tokens(self) -> int:
        return int(self.control("tokens/expire")["expired"])

    def state(self) -> dict[str, Any]:
        """practitioners, types, patients, knobs, faults, log."""
        return self.sandbox.read(f"{self.kind}/state")

    def asked(self, path: str = "") -> list[dict[str, Any]]:
        """Requests whose path begins so, oldest first: at, method, path, query, status."""
        return [one for one in self.state()["log"] if one["path"].startswith(path)]

    def truth(self, day: str) -> list[dict[str, Any]]:
        """Every visit of a local day in the clinic's own words."""
        return list(self.sandbox.read(f"{self.kind}/truth", day=day)["appointments"])

    def practitioners(self) -> list[str]:
        """Ids of those who work there."""
        return [one["id"] for one in self.state()["practitioners"] if one["active"]]
