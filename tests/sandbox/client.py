"""A bare HTTP client that asks the simulator what the vendor's documents say one may ask. No code of the adapter."""

from __future__ import annotations

from typing import Any

import requests

from .process import APP_ID, CLIENT_ID, CLIENT_SECRET, RunningSandbox

WHOLE_DAY = {"fromDate": "2026-03-09T00:00:00.000+11:00", "toDate": "2026-03-09T23:59:59.999+11:00"}


class Client:
    """Signs on first use and again after `sign`. Answers are never judged here: that is the tests' business."""

    def __init__(self, sandbox: RunningSandbox, session: requests.Session) -> None:
        self.sandbox = sandbox
        self.base = sandbox.base_url
        self.tenant = sandbox.tenant_id
        self.session = session
        self.token: str | None = None

    def ask_token(self, client_id: str = CLIENT_ID, secret: str = CLIENT_SECRET, **form: str) -> requests.Response:
        form = form or {"grant_type": "client_credentials"}
        return self.session.post(f"{self.base}/oauth2/token", auth=(client_id, secret), data=form, timeout=20)

    def sign(self) -> str:
        self.token = self.ask_token().json()["access_token"]
        return self.token

    def send(self, method: str, path: str, **rest: Any) -> requests.Response:
        """Below the base address; `T` at the start stands for the first tenant."""
        if self.token is None:
            self.sign()
        path = path.replace("T", f"/tenants/{self.tenant}", 1) if path.startswith("T") else path
        headers = {"Authorization": f"Bearer {self.token}", "Accept": "application/json", **rest.pop("headers", {})}
        return self.session.request(method, self.base + path, headers=headers, timeout=20, **rest)

    def get(self, path: str, **query: Any) -> requests.Response:
        return self.send("GET", path, params=query)

    def pair(self, code: str | None = None, app_id: str = APP_ID) -> requests.Response:
        return self.send("PUT", f"/apps/{app_id}/pairing/{code or self.sandbox.pairing_code()}")

    def practitioners(self) -> list[dict[str, Any]]:
        rows = self.get("T/practitioners").json()
        return [row for row in rows if row["active"] and row["shownInAppointmentBook"]]

    def page(self, practitioner_id: str | None = None, **query: Any) -> requests.Response:
        """One page of the test day of the first practitioner in the book, unless the query says otherwise."""
        asked = {**WHOLE_DAY, "limit": 100, "practitionerId": practitioner_id or self.practitioners()[0]["id"]}
        return self.get("T/appointments", **{**asked, **query})

    def sweep(self, **query: Any) -> list[dict[str, Any]]:
        """Every row of every practitioner in the book, joint rows as often as they come."""
        rows: list[dict[str, Any]] = []
        for person in self.practitioners():
            cursor = None
            while True:
                body = self.page(person["id"], **query, **({"cursor": cursor} if cursor else {})).json()
                rows += body["appointments"]
                cursor = body["pagination"]["next"]
                if cursor is None:
                    break
        return rows
