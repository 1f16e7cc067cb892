"""What the operator sets for Gentu: one client of the whole app serves every paired practice."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from app.config import VendorSettings
from app.pms.errors import PmsNotConfigured

#: pms/gentu.md §1, "Base URL, production" (seed, documented: SPEC).
BASE_URL = "https://api.pm.magentus.com/v1"
#: Below the base, /v1 included: the OpenAPI text leaves /v1 out, the live sandbox needs it (seen in code).
TOKEN_PATH = "/oauth2/token"  # noqa: S105 - a path


@dataclass(frozen=True, slots=True)
class GentuSettings:
    base_url: str
    token_url: str
    app_id: str
    client_id: str
    client_secret: str = field(repr=False)

    @classmethod
    def of(cls, vendor: VendorSettings) -> GentuSettings:
        """The settings. Raises PmsNotConfigured with a sentence that names every missing variable."""
        values = {name: vendor.extra.get(name, "") for name in ("app_id", "client_id", "client_secret")}
        missing = [f"GENTU_{name.upper()}" for name, value in values.items() if not value]
        if missing:
            raise PmsNotConfigured(
                f"Gentu is not set up on this Runsheet: {', '.join(missing)} {'is' if len(missing) == 1 else 'are'} "
                "not set. Magentus gives them to whoever registers the app."
            )
        base = base_url(vendor)
        return cls(base, (vendor.token_url or base + TOKEN_PATH), **values)

    @property
    def client_hash(self) -> str:
        """Names the stored token's row; a changed id, secret or token address makes another one."""
        parts = (self.client_id, self.client_secret, self.token_url)
        return hashlib.sha256("\x00".join(parts).encode()).hexdigest()

    @property
    def limit_key(self) -> str:
        """Whose budget a call uses: all practices behind one client share it."""
        return f"gentu {urlsplit(self.base_url).netloc} {self.client_id}"


def base_url(vendor: VendorSettings) -> str:
    """The address Gentu is asked at, its /v1 included."""
    return (vendor.base_url or BASE_URL).rstrip("/")
