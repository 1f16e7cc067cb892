"""The simulated IntakeQ as tests.sandbox.stage.StagedClinic."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from app.sandbox.intakeq import cast
from tests.sandbox.intakeq import Account
from tests.sandbox.process import RunningSandbox

LIST = "/appointments"
_NOW = "2026-03-09T01:00:00Z"
#: The vendor has five words; how far a visit is shows by what else its record says.
_STATES: dict[str, dict[str, Any]] = {
    "booked": {"status": "WaitingConfirmation"},
    "confirmed": {"status": "Confirmed", "answer": "Confirmed"},
    "arrived": {"status": "Confirmed", "answer": "Confirmed"},
    "in_progress": {"status": "Confirmed", "session_start": _NOW},
    "completed": {"status": "Confirmed", "session_start": _NOW, "session_end": _NOW},
    "cancelled": {"status": "Canceled"},
    "no_show": {"status": "Missed"},
}


class IntakeqClinic:
    kind = "intakeq"

    def __init__(self, sandbox: RunningSandbox) -> None:
        self.sandbox, self.url, self._account = sandbox, sandbox.intakeq_url, Account(sandbox)
        told = sandbox.vendors["intakeq"]
        self.credentials: dict[str, str] = dict(told["credentials"])
        self.environment: dict[str, str] = dict(told["environment"])

    def fresh(self, at: str | None = None, **knobs: Any) -> IntakeqClinic:
        self._account.fresh(at, retry_after=True)
        self.control("knobs", **knobs)
        return self

    def control(self, order: str, /, **body: Any) -> dict[str, Any]:
        if order == "knobs" and "limits" in body:
            ((body["per_minute"], _),) = body.pop("limits")
        return self._account.control(order, **body)

    def book(self, at: str, **more: Any) -> str:
        return self.books(at, **more)[0]

    def books(self, at: str, **more: Any) -> list[str]:
        services = [one.id for one in cast.SERVICES]
        given = {
            "practitioner_id": (more.get("practitioner_ids") or (None,))[0],
            "client_id": int(more["patient_id"]) if more.get("patient_id") else None,
            "also": [int(one) for one in more.get("also", ())],
            "service": services.index(more["type_id"]) if more.get("type_id") else 0,
            "minutes": more.get("minutes"),
            "count": more.get("count", 1),
        }
        ids = [str(one) for one in self.control("book", at=at, **given)["ids"]]
        state = more.get("state", "booked")
        if state != "booked" or more.get("note"):
            note = {"practitioner_note": more["note"]} if more.get("note") else {}
            for one in ids:
                self.control("change", id=one, **_STATES[state], **note)
        return ids

    def change(self, visit_id: str, **more: Any) -> None:
        given = {"at": more["at"]} if "at" in more else {}
        given |= _STATES[more["state"]] if more.get("state") else {}
        if given:
            self.control("change", id=visit_id, **given)
        if more.get("word"):
            self.raw(visit_id, Status=more["word"])

    def cancel(self, visit_id: str, reason: str | None = None) -> None:
        self.control("cancel", id=visit_id, reason=reason)

    def delete(self, visit_id: str) -> None:
        self.control("delete", id=visit_id)

    def raw(self, record_id: str, drop: tuple[str, ...] = (), **fields: Any) -> None:
        self.control("raw", id=record_id, fields=fields, drop=list(drop))

    def fault(self, kind: str, **more: Any) -> None:
        if kind == "cut_body":
            pytest.skip("The simulated IntakeQ cuts no bodies; the HTTP client they all share is tested with them.")
        self.control("faults", kind=kind, **more)

    def mend(self) -> None:
        self.control("faults/clear")

    def state(self) -> dict[str, Any]:
        told = self._account.state()
        staff = told["practitioners"]
        base = "/intakeq/api/v1"
        return {
            "practitioners": [{"id": one["Id"], "active": not one["IsInactive"]} for one in staff],
            "types": [{"id": one.id, "name": one.name} for one in cast.SERVICES],
            "patients": [str(one.id) for one in cast.clients()],
            "log": [{**one, "path": one["path"].removeprefix(base)} for one in told["log"]],
        }

    def asked(self, path: str = "") -> list[dict[str, Any]]:
        return [one for one in self.state()["log"] if one["path"].startswith(path)]

    def truth(self, day: str) -> list[dict[str, Any]]:
        return [_visit(one) for one in self.sandbox.read("intakeq/truth", day=day)["appointments"]]

    def practitioners(self) -> list[str]:
        return [one["id"] for one in self.state()["practitioners"] if one["active"]]


def _visit(record: dict[str, Any]) -> dict[str, Any]:
    info = record["TelehealthInfo"]
    return {
        "id": record["Id"],
        "starts_at": datetime.fromtimestamp(record["StartDate"] / 1000, UTC).isoformat(),
        "minutes": record["Duration"],
        "patient_ids": [str(one["ClientId"]) for one in (record, *record["AdditionalClients"])],
        "practitioner_ids": [record["PractitionerId"]],
        "host_link": info["StartUrl"] if info else None,
    }
