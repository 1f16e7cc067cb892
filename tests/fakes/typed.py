"""A vendor whose practices type credentials: `typed.opens("key-1", site="site-1")`, and who it says it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import ClassVar

import pytest

from app import clock
from app.config import VendorSettings
from app.domain.appointment import PracticeIdentity
from app.pms.errors import PmsAuthFailed, PmsError, PmsNotConfigured
from app.pms.port import CredentialField, PairingCode, PmsAdapter, Site
from app.pms.registry import ADAPTERS
from app.pms.tokens import Token, TokenManager
from app.pms.tools import Tools
from tests.fakes.pms import FakeAdapter

KEY, SECRET, SITE = "account", "secret", "site"
FIELDS = (
    CredentialField(KEY, "Account", "On the first page of Typed.", secret=False),
    CredentialField(SECRET, "Secret", "Below the account."),
    CredentialField(SITE, "Site", "Only where there are several.", secret=False, required=False),
)


@dataclass
class TypedPms:
    """Which secrets are good, and which practice each opens."""

    doors: dict[str, str] = field(default_factory=dict)
    logins: list[str] = field(default_factory=list)
    opened_with: list[dict[str, str]] = field(default_factory=list)
    breaks: PmsError | None = None

    def opens(self, secret: str, practice: str = "site-1") -> dict[str, str]:
        """What somebody would type."""
        self.doors[secret] = practice
        return {KEY: f"account of {practice}", SECRET: secret}

    def login(self, secret: str) -> Token:
        self.logins.append(secret)
        if secret not in self.doors:
            raise PmsAuthFailed("no")
        return Token(f"token for {secret}", clock.now(), clock.now() + timedelta(hours=1))


class TypedAdapter(FakeAdapter):
    """Its token belongs to the connection; the practice is the one the token opens."""

    kind: ClassVar[str] = "typed"
    label: ClassVar[str] = "Typed"
    credentials: ClassVar[tuple[CredentialField, ...]] = FIELDS
    pairing: ClassVar[PairingCode | None] = None
    vendor: ClassVar[TypedPms]

    typed: Mapping[str, str]
    tokens: TokenManager
    site: Site

    @classmethod
    def open(cls, vendor: VendorSettings, site: Site, tools: Tools) -> PmsAdapter:
        if "," in tools.credentials[SECRET]:
            raise PmsNotConfigured("No secret of Typed has a comma. Copy it once more.")
        made = cls(cls.system, tools.cancelled)
        made.typed, made.site = tools.credentials, site
        cls.vendor.opened_with.append(dict(tools.credentials))
        made.tokens = TokenManager(
            tools.tokens.connection(), lambda _: cls.vendor.login(made.typed[SECRET]), sleep=tools.sleep
        )
        return made

    def authenticate(self) -> None:
        self.tokens.get_valid_token()

    def identity(self) -> PracticeIdentity:
        if self.vendor.breaks is not None:
            raise self.vendor.breaks
        practice = self.vendor.doors[self.tokens.get_valid_token().removeprefix("token for ")]
        return PracticeIdentity(practice, f"Practice {practice}", "Australia/Melbourne")


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch, fake_is_registered: None) -> TypedPms:
    made = TypedPms()
    monkeypatch.setitem(ADAPTERS, "typed", "tests.fakes.typed:TypedAdapter")
    monkeypatch.setattr(TypedAdapter, "vendor", made, raising=False)
    return made
