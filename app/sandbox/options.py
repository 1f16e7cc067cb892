"""What a simulator is started with. Built once, handed on; nothing else reads a command line or the environment."""

from __future__ import annotations

from dataclasses import dataclass

CLINICS = ("demo", "empty", "big")

# These three open nothing but this simulator: they are public on purpose and no vendor knows them.
APP_ID = "runsheet-demo"
CLIENT_ID = "runsheet-demo-client"
CLIENT_SECRET = "runsheet-demo-secret"  # noqa: S105


@dataclass(frozen=True, slots=True)
class Options:
    """`moving` None means: by clinic (the demo moves with the clock, the others hold still)."""

    clinic: str = "demo"
    seed: str = "runsheet"
    tenants: int = 1
    practitioners: int = 20
    per_day: int = 20
    moving: bool | None = None
    paired: bool = False
    token_ttl_s: float = 3599
    rate_limit_per_minute: int | None = None
    app_id: str = APP_ID
    client_id: str = CLIENT_ID
    client_secret: str = CLIENT_SECRET

    @property
    def moves(self) -> bool:
        return self.clinic == "demo" if self.moving is None else self.moving
