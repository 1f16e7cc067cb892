"""The simulated ezyVet as tests.sandbox.stage.StagedClinic."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from app.sandbox.ezyvet import cast
from tests.sandbox.process import RunningSandbox

LIST, TOKEN = "/v2/appointment", "/v1/oauth/access_token"
_WORDS = {
    "booked": cast.NO_STATUS,
    "confirmed": cast.CONFIRMED,
    "arrived": cast.ARRIVED,
    "in_progress": cast.IN_ROOM,
    "completed": cast.COMPLETED,
}
_OUT = {"cancelled": "Owner cancelled", "no_show": "Did not attend"}
_FAULTS = {"object": "envelope", "empty": "empty_body", "hang_up": "outage"}


class EzyvetClinic:
    kind, clock = "ezyvet", "ezyvet/clock"

    def __init__(self, sandbox: RunningSandbox) -> None:
        self.sandbox, self.url = sandbox, sandbox.ezyvet_url
        told = sandbox.vendors["ezyvet"]
        self.credentials: dict[str, str] = dict(told["credentials"])
        self.environment: dict[str, str] = dict(told["environment"])

    def fresh(self, at: str | None = None, **knobs: Any) -> EzyvetClinic:
        self.control("reset")
        self.control("clock", **({"at": at} if at else {}))
        self.control("knobs", **{"limits": [[100_000, 60]], "retry_after": True, **knobs})
        return self

    def control(self, order: str, /, **body: Any) -> dict[str, Any]:
        if order == "knobs":
            if body.pop("loops", False):
                self.control("faults", kind="same_page", path=LIST)
            if "limits" in body:
                ((allowed, _),) = body.pop("limits")
                body |= {"per_endpoint": allowed, "overall": allowed}
        return self.sandbox.control(f"ezyvet/{order}", **body)

    def book(self, at: str, **more: Any) -> str:
        return self.books(at, **more)[0]

    def books(self, at: str, **more: Any) -> list[str]:
        vets = [int(one) for one in more.get("practitioner_ids") or ("21",)]
        fields: dict[str, Any] = _state(more.get("state", "booked"))
        fields |= {"duration": more["minutes"]} if more.get("minutes") else {}
        fields |= {"description": more["note"]} if more.get("note") else {}
        given = {
            "animal_id": None if more.get("block") else int(more.get("patient_id") or 801),
            "type_id": cast.BLOCK if more.get("block") else int(more.get("type_id") or cast.CONSULTATION),
            "fields": {**fields, "resources": [{"id": one} for one in vets]},
        }
        start = datetime.fromisoformat(at).timestamp()
        return [
            str(self.control("book", at=_said(start + 60 * number), **given)["id"])
            for number in range(more.get("count", 1))
        ]

    def change(self, visit_id: str, **more: Any) -> None:
        if "at" in more:
            self.control("move", id=int(visit_id), at=more["at"])
        if more.get("word"):
            status = self.control("write", resource="appointmentstatus", fields={"name": more["word"]})
            self.raw(visit_id, status_id=status["id"])
        elif more.get("state"):
            self.raw(visit_id, **_state(more["state"]))

    def cancel(self, visit_id: str, reason: str | None = None) -> None:
        self.control("cancel", id=int(visit_id))

    def delete(self, visit_id: str) -> None:
        self.control("remove", id=int(visit_id))

    def raw(self, record_id: str, drop: tuple[str, ...] = (), **fields: Any) -> None:
        assert not drop, "every member stays, also an empty one"
        self.control("write", resource="appointment", id=int(record_id), fields=fields)

    def fault(self, kind: str, status: int = 503, **more: Any) -> None:
        if kind == "status":
            kind = {401: "unauthorised", 403: "forbidden", 429: "rate_limited"}.get(status, "error")
            more |= {"status": status} if kind == "error" else {}
        self.control("faults", kind=_FAULTS.get(kind, kind), **more)

    def mend(self) -> None:
        self.control("faults/clear")

    def end_tokens(self) -> int:
        return int(self.control("tokens/expire")["expired"])

    def state(self) -> dict[str, Any]:
        tables = cast.tables()
        log = self.sandbox.read("ezyvet/state")["log"]
        return {
            "practitioners": [_named(one) for one in tables["resource"] if one["type"] == "user"],
            "types": [_named(one) for one in tables["appointmenttype"]],
            "patients": [str(one["id"]) for one in tables["animal"]],
            "log": [{**one, "path": one["route"]} for one in log],
        }

    def asked(self, path: str = "") -> list[dict[str, Any]]:
        return [one for one in self.state()["log"] if one["path"].startswith(path)]

    def truth(self, day: str) -> list[dict[str, Any]]:
        return [_visit(one) for one in self.sandbox.read("ezyvet/book", day=day)["appointments"]]

    def practitioners(self) -> list[str]:
        return [one["id"] for one in self.state()["practitioners"] if one["active"]]


def _state(state: str) -> dict[str, Any]:
    if state in _OUT:
        return {"active": False, "cancellation_reason": 1, "cancellation_reason_text": _OUT[state]}
    return {"active": True, "status_id": _WORDS[state]}


def _said(epoch: float) -> str:
    return datetime.fromtimestamp(epoch).astimezone().isoformat()


def _named(record: dict[str, Any]) -> dict[str, Any]:
    return {"id": str(record["id"]), "name": record["name"], "active": record["active"]}


def _visit(record: dict[str, Any]) -> dict[str, Any]:
    people = {one["id"] for one in cast.tables()["resource"] if one["type"] == "user"}
    used = [one["id"] for one in record["resources"] or ()]
    return {
        "id": str(record["id"]),
        "starts_at": datetime.fromtimestamp(record["start_at"]).astimezone().isoformat(),
        "minutes": record["duration"],
        "patient_ids": [str(record["animal_id"])] if record["animal_id"] else [],
        "practitioner_ids": [str(one) for one in used if one in people],
    }
