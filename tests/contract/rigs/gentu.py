"""The simulated Gentu as tests.sandbox.stage.StagedClinic: the first practice, paired from the start."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any

import pytest

from app.sandbox.clinic import cast
from tests.sandbox.process import APP_ID, CLIENT_ID, CLIENT_SECRET, RunningSandbox

LIST = "/tenants/*/appointments"
WORDS = {
    "booked": "none",
    "confirmed": "confirmed",
    "arrived": "in_waiting_room",
    "in_progress": "with_doctor",
    "completed": "completed",
    "cancelled": "cancelled",
    "no_show": "did_not_arrive",
}
_FAULTS = {
    "html": "html",
    "object": "envelope",
    "empty": "empty_body",
    "redirect": "redirect",
    "truncated": "truncated",
    "cut_body": "cut_body",
    "hang_up": "outage",
}


class GentuClinic:
    kind = "gentu"

    def __init__(self, sandbox: RunningSandbox) -> None:
        self.sandbox, self.url, self.tenant = sandbox, sandbox.base_url, sandbox.tenant_id
        self.credentials: dict[str, str] = {}
        self.environment = {
            "GENTU_BASE_URL": sandbox.base_url,
            "GENTU_APP_ID": APP_ID,
            "GENTU_CLIENT_ID": CLIENT_ID,
            "GENTU_CLIENT_SECRET": CLIENT_SECRET,
        }

    def fresh(self, at: str | None = None, **knobs: Any) -> GentuClinic:
        self.sandbox.control("reset")
        self.sandbox.control("clock", **({"at": at} if at else {}))
        self.control("knobs", **knobs)
        return self

    def control(self, order: str, /, **body: Any) -> dict[str, Any]:
        if order != "knobs":
            return self.sandbox.control(order, **body)
        if body.pop("loops", False):
            self.sandbox.break_("cursor_loop")
        if "limits" in body:
            ((body["rate_limit_per_minute"], _),) = body.pop("limits")
        if "retry_after" in body:
            body["rate_limit_retry_after"] = body.pop("retry_after")
        return self.sandbox.control("knobs", **body)

    def book(self, at: str, **more: Any) -> str:
        return str(self.books(at, **more)[0])

    def books(self, at: str, **more: Any) -> list[str]:
        given = {name: value for name, value in more.items() if name in ("practitioner_ids", "type_id", "minutes")}
        who = [more["patient_id"]] if more.get("patient_id") else []
        if more.get("also"):
            who = [*(who or self.patients()[:1]), *more["also"]]
        given |= {"patient_ids": who} if who else {}
        given.setdefault("type_id", cast.document().types[0].id)
        given |= {"block": True} if more.get("block") else {}
        told = self.sandbox.control(
            "appointments",
            starts_at=at,
            status=WORDS[more.get("state", "booked")],
            count=more.get("count", 1),
            every_minutes=1,
            comment=more.get("note"),
            **given,
        )
        return list(told["ids"])

    def change(self, visit_id: str, **more: Any) -> None:
        if "at" in more:
            self.sandbox.control(f"appointments/{visit_id}/move", starts_at=more["at"])
        word = more.get("word") or WORDS.get(more.get("state", ""))
        if word:
            self.sandbox.control(f"appointments/{visit_id}/status", status=word)

    def cancel(self, visit_id: str, reason: str | None = None) -> None:
        self.sandbox.control(f"appointments/{visit_id}/cancel")

    def delete(self, visit_id: str) -> None:
        self.sandbox.control(f"appointments/{visit_id}/delete")

    def raw(self, record_id: str, drop: tuple[str, ...] = (), **fields: Any) -> None:
        self.sandbox.control("raw", id=record_id, fields=fields, drop=list(drop))

    def fault(self, kind: str, path: str = "", status: int = 503, **more: Any) -> None:
        if kind == "status":
            kind = "rate_limited" if status == 429 else "error"
            more |= {} if status == 429 else {"status": status}
        elif kind in _FAULTS:
            kind = _FAULTS[kind]
        else:
            pytest.skip(f"The simulated Gentu has no fault “{kind}”; tests/pms/gentu has.")
        self.sandbox.break_(kind, path=path, **more)

    def mend(self) -> None:
        self.sandbox.mend()

    def end_tokens(self) -> int:
        return int(self.sandbox.control("tokens/expire")["expired"])

    def state(self) -> dict[str, Any]:
        told = self.sandbox.state(log=2000)
        practice = told["tenants"][0]
        return {
            "practitioners": [{**one, "active": one["active"] and one["shown"]} for one in practice["practitioners"]],
            "types": [{"id": one["id"], "name": one["text"]} for one in practice["types"]],
            "patients": self.patients(),
            "log": [{**one, "path": one["path"].removeprefix("/gentu/v1")} for one in told["log"]],
        }

    def asked(self, path: str = "") -> list[dict[str, Any]]:
        return [one for one in self.state()["log"] if fnmatchcase(one["path"], path or "*")]

    def truth(self, day: str) -> list[dict[str, Any]]:
        return [_visit(one) for one in self.sandbox.truth(day)]

    def practitioners(self) -> list[str]:
        """Those in the book: a sweep asks for nobody else."""
        return [one["id"] for one in self.state()["practitioners"] if one["active"]]

    def patients(self) -> list[str]:
        """Of the empty clinic."""
        return [one.id for one in cast.document().patients]


def _visit(record: dict[str, Any]) -> dict[str, Any]:
    people = [(one["referenceType"], one["referenceId"]) for one in record["participant"]]
    return {
        "id": record["id"],
        "starts_at": record["startAt"],
        "minutes": record["minutesDuration"],
        "patient_ids": [id_ for kind, id_ in people if kind == "patient"],
        "practitioner_ids": [id_ for kind, id_ in people if kind == "provider"],
    }
