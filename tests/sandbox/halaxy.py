"""A bare HTTP client of the simulated Halaxy. No code of the adapter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import requests

from tests.sandbox.stage import StagedClinic

AGENT = "Somebody (somebody@example.com)"
JSON = "application/fhir+json"


class Caller:
    """`caller.get("/Appointment", ("date", "eq2026-03-09"))`; signs on first use. Answers are never judged here."""

    def __init__(self, clinic: StagedClinic) -> None:
        self.clinic = clinic
        self.headers: dict[str, str | None] = {"User-Agent": AGENT, "Accept": JSON}

    def ask_token(self, **changes: Any) -> requests.Response:
        said = {"grant_type": "client_credentials", **self._key, **changes}
        headers = {name: value for name, value in self.headers.items() if name != "Authorization"}
        return requests.post(f"{self.clinic.url}/oauth/token", json=said, headers=headers, timeout=20)

    @property
    def _key(self) -> dict[str, str]:
        return {name: self.clinic.credentials[name] for name in ("client_id", "client_secret")}

    def sign(self) -> None:
        self.headers["Authorization"] = f"Bearer {self.ask_token().json()['access_token']}"

    def get(self, path: str, *query: tuple[str, Any]) -> requests.Response:
        if "Authorization" not in self.headers:
            self.sign()
        return requests.get(self.clinic.url + path, params=list(query), headers=self.headers, timeout=20)

    def rows(self, path: str, *query: tuple[str, Any]) -> list[dict[str, Any]]:
        """The resources of one page, included ones too."""
        answer = self.get(path, *query)
        assert answer.status_code == 200, answer.text
        return [one["resource"] for one in answer.json().get("entry", [])]

    def ids(self, path: str, *query: tuple[str, Any]) -> list[str]:
        return [one["id"] for one in self.rows(path, *query)]


def status_codes(row: dict[str, Any]) -> Sequence[str]:
    return [ext["valueCoding"]["code"] for one in row["participant"] for ext in one.get("modifierExtension", [])]
