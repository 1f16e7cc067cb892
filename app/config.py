"""Every knob, read in one place, typed, and refused together with one clear message when it is nonsense.

`create_app` reads this and hands the values on; nothing else looks at the environment.
A value may come from a file: `SECRET_KEY_FILE=/run/secrets/key` means the content of that file.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from dotenv import dotenv_values

from app.errors import SettingsError

#: The checkout (or, in a wheel, the folder that holds the package).
ROOT = Path(__file__).resolve().parent.parent

ENVIRONMENTS = ("development", "production", "test")
LOG_LEVELS = ("debug", "info", "warning", "error")
#: A vendor may have a name of several words: IDEXX_NEO_BASE_URL.
_VENDOR_NAME = re.compile(
    r"^([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*)_(BASE_URL|TOKEN_URL|REQUESTS_PER_(?:MINUTE|HOUR|DAY)|CONCURRENCY)$"
)

#: Good for either key.
MAKE_A_KEY = "python -c 'import base64, os; print(base64.b64encode(os.urandom(32)).decode())'"

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class VendorSettings:
    """What the operator set for one vendor. `extra` holds the vendor's own names, such as `client_id`.

    headless: whether a browser that is driven stays unseen; the same for all.
    """

    base_url: str | None = None
    token_url: str | None = None
    requests_per_minute: int | None = None
    requests_per_hour: int | None = None
    concurrency: int | None = None
    requests_per_day: int | None = None
    extra: Mapping[str, str] = field(default_factory=dict, repr=False)
    headless: bool = True


@dataclass(frozen=True, slots=True)
class Settings:
    """Built from the environment by `from_env`; tests build one directly."""

    home: Path
    database_url: str = field(repr=False)
    secret_key: str = field(repr=False)
    encryption_key: bytes = field(repr=False)
    env: str = "development"
    old_encryption_keys: tuple[bytes, ...] = field(default=(), repr=False)
    redis_url: str | None = field(default=None, repr=False)
    host: str = "127.0.0.1"
    port: int = 5050
    headless: bool = True
    sync_timeout_ms: int = 300_000
    enable_scheduler: bool = True
    log_format: str = "console"
    log_level: str = "info"
    trusted_proxies: int = 0
    generated_secrets: bool = False
    stretched_key: bool = False  # doctor advises to rotate a key that was not 32 random bytes
    vendors: Mapping[str, VendorSettings] = field(default_factory=dict)

    @property
    def production(self) -> bool:
        return self.env == "production"

    @property
    def runtime(self) -> Path:
        """What belongs to the processes that run now: sockets, ports, pids."""
        return self.home / "run"

    def vendor(self, kind: str) -> VendorSettings:
        return replace(self.vendors.get(kind, VendorSettings()), headless=self.headless)

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Read and check everything. Raises SettingsError with every fault in one message."""
        return _Reader(os.environ if environ is None else environ).settings()


class _Reader:
    """Reads names, collects faults, and builds Settings only when there are none."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.faults: list[str] = []
        self.env = environ.get("RUNSHEET_ENV", "development")
        self.values: dict[str, str] = dict(environ)
        if self.env == "development":
            local = {name: value for name, value in dotenv_values(ROOT / ".env.local").items() if value is not None}
            self.values = {**local, **self.values}

    def settings(self) -> Settings:
        if self.env not in ENVIRONMENTS:
            self.faults.append(f"RUNSHEET_ENV is “{self.env}”; it must be one of {', '.join(ENVIRONMENTS)}.")
        home = (ROOT / self.text("RUNSHEET_HOME", "var")).resolve()
        default_format = "json" if self.env == "production" else "console"
        built = {
            "env": self.env,
            "home": home,
            "database_url": self.database_url(home),
            "redis_url": self.redis_url(),
            "host": self.text("HOST", "127.0.0.1"),
            "port": self.number("PORT", 5050, 1, 65535),
            "headless": self.flag("HEADLESS", True),
            "sync_timeout_ms": self.number("SYNC_TIMEOUT_MS", 300_000, 1_000, 86_400_000),
            "enable_scheduler": self.flag("ENABLE_SCHEDULER", True),
            "log_format": self.choice("LOG_FORMAT", default_format, ("json", "console")),
            "log_level": self.choice("LOG_LEVEL", "info", LOG_LEVELS),
            "trusted_proxies": self.number("TRUSTED_PROXIES", 0, 0, 5),
            "vendors": self.vendors(),
        }
        keys = self.keys(home)
        if self.faults:
            raise SettingsError(
                "Runsheet cannot start with these settings:\n" + "\n".join(f"  - {fault}" for fault in self.faults)
            )
        return Settings(**built, **keys)  # type: ignore[arg-type]

    # --- single values ------------------------------------------------------------------------------------------

    def raw(self, name: str) -> str | None:
        path = self.values.get(f"{name}_FILE")
        if path:
            try:
                return Path(path).read_text().strip()
            except (OSError, UnicodeDecodeError):
                self.faults.append(f"{name}_FILE names a file that cannot be read.")
                return None
        value = self.values.get(name)
        return value.strip() if value and value.strip() else None

    def text(self, name: str, default: str) -> str:
        return self.raw(name) or default

    def choice(self, name: str, default: str, allowed: tuple[str, ...]) -> str:
        value = self.text(name, default).lower()
        if value not in allowed:
            self.faults.append(f"{name} is “{value}”; it must be one of {', '.join(allowed)}.")
        return value

    def flag(self, name: str, default: bool) -> bool:
        value = self.text(name, str(default)).lower()
        if value in {"1", "true", "yes", "on"}:
            return True
        if value not in {"0", "false", "no", "off"}:
            self.faults.append(f"{name} is “{value}”; it must be true or false.")
        return False

    def number(self, name: str, default: int, lowest: int, highest: int) -> int:
        found = self.optional_number(name, lowest, highest)
        return default if found is None else found

    def optional_number(self, name: str, lowest: int, highest: int) -> int | None:
        value = self.raw(name)
        if value is None:
            return None
        try:
            number = int(value)
        except ValueError:
            number = lowest - 1
        if not lowest <= number <= highest:
            self.faults.append(f"{name} is “{value}”; it must be a whole number from {lowest} to {highest}.")
            return None
        return number

    # --- addresses ----------------------------------------------------------------------------------------------

    def database_url(self, home: Path) -> str:
        url = self.text("DATABASE_URL", f"sqlite:///{home / 'runsheet.db'}")
        for prefix in ("postgres://", "postgresql://"):
            if url.startswith(prefix):
                url = "postgresql+psycopg://" + url.removeprefix(prefix)
        if not url.startswith(("sqlite:///", "postgresql+psycopg://")):
            self.faults.append("DATABASE_URL must begin with postgresql:// or sqlite:///.")
        if self.env == "production" and url.startswith("sqlite") and not self.flag("ALLOW_SQLITE", False):
            self.faults.append("Production uses PostgreSQL: set DATABASE_URL (or ALLOW_SQLITE=true for one host).")
        return url

    def redis_url(self) -> str | None:
        url = self.raw("REDIS_URL")
        if url and not url.startswith(("redis://", "rediss://", "unix://")):
            self.faults.append("REDIS_URL must begin with redis://, rediss:// or unix://.")
        if self.env == "production" and not url:
            self.faults.append("Production needs its own Redis: set REDIS_URL.")
        return url

    def vendors(self) -> Mapping[str, VendorSettings]:
        """Every `<VENDOR>_…` name in the environment, grouped by vendor; the adapters say which they read."""
        names = {name.removesuffix("_FILE") for name in self.values}
        kinds = {match[1] for name in names if (match := _VENDOR_NAME.match(name))}
        kinds |= {name.split("_")[0] for name in names if name.endswith(("_APP_ID", "_CLIENT_ID", "_DROP_ROOT"))} - {""}
        return {kind.lower(): self.vendor(kind) for kind in sorted(kinds)}

    def vendor(self, kind: str) -> VendorSettings:
        prefix = f"{kind}_"
        names = {name.removesuffix("_FILE") for name in self.values if name.startswith(prefix)}
        extra = {
            name.removeprefix(prefix).lower(): value
            for name in sorted(names)
            if not _VENDOR_NAME.match(name) and (value := self.raw(name)) is not None
        }
        return VendorSettings(
            base_url=self.address(f"{kind}_BASE_URL"),
            token_url=self.address(f"{kind}_TOKEN_URL"),
            requests_per_minute=self.optional_number(f"{kind}_REQUESTS_PER_MINUTE", 1, 100_000),
            requests_per_hour=self.optional_number(f"{kind}_REQUESTS_PER_HOUR", 1, 10_000_000),
            requests_per_day=self.optional_number(f"{kind}_REQUESTS_PER_DAY", 1, 100_000_000),
            concurrency=self.optional_number(f"{kind}_CONCURRENCY", 1, 64),
            extra=extra,
        )

    def address(self, name: str) -> str | None:
        url = self.raw(name)
        if url is None:
            return None
        if not re.match(r"^https?://[^/\s]+", url):
            self.faults.append(f"{name} must be an address that begins with https:// or http://.")
        elif self.env == "production" and not url.startswith("https://"):
            self.faults.append(f"{name} must begin with https:// in production.")
        return url.rstrip("/")

    # --- secrets ------------------------------------------------------------------------------------------------

    def keys(self, home: Path) -> dict[str, object]:
        secret = self.raw("SECRET_KEY")
        encryption, stretched = self.encryption_key()
        if secret is not None and (len(secret) < 32 or len(set(secret)) < 8):
            self.faults.append("SECRET_KEY must be at least 32 random characters.")
        generated = False
        if secret is None or encryption is None:
            if self.env == "production":
                self.faults += [
                    f"{name} is not set; production never makes its own secrets. Make one with: {MAKE_A_KEY}"
                    for name, value in (("SECRET_KEY", secret), ("ENCRYPTION_KEY", encryption))
                    if value is None
                ]
                return {}
            if self.faults:  # do not leave files behind for settings that are refused anyway
                return {}
            generated = True
            secret = secret or _kept(home, "secret_key", lambda: secrets.token_urlsafe(48))
            if encryption is None:
                kept = _kept(home, "encryption_key", lambda: base64.b64encode(os.urandom(32)).decode())
                encryption = base64.b64decode(kept)
        return {
            "secret_key": secret,
            "encryption_key": encryption,
            "old_encryption_keys": self.old_keys(),
            "generated_secrets": generated,
            "stretched_key": stretched,
        }

    def encryption_key(self) -> tuple[bytes | None, bool]:
        text = self.raw("ENCRYPTION_KEY")
        if text is not None:
            return self.master_key("ENCRYPTION_KEY", text), False
        legacy = self.raw("IDEXX_ENCRYPTION_KEY")
        if legacy is None:
            return None, False
        if len(legacy) < 32:
            self.faults.append("IDEXX_ENCRYPTION_KEY must be at least 32 characters; better, set ENCRYPTION_KEY.")
            return b"", True
        # 32 characters are not 32 random bytes (faults S10): stretch them, and let doctor advise a rotation.
        return Scrypt(salt=b"runsheet idexx key v1", length=32, n=2**15, r=8, p=1).derive(legacy.encode()), True

    def old_keys(self) -> tuple[bytes, ...]:
        listed = [text.strip() for text in (self.raw("OLD_ENCRYPTION_KEYS") or "").split(",") if text.strip()]
        return tuple(key for text in listed if (key := self.master_key("OLD_ENCRYPTION_KEYS", text)))

    def master_key(self, name: str, text: str) -> bytes:
        try:
            key = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if len(key) != 32 or len(set(key)) < 8:
            self.faults.append(f"{name} must be 32 random bytes in base64. Make one with: {MAKE_A_KEY}")
        return key


def _kept(home: Path, name: str, make: Callable[[], str]) -> str:
    """The secret of that name under the home folder, made on first use; only its owner can read it."""
    home.mkdir(parents=True, exist_ok=True)
    home.chmod(0o700)
    folder = home / "secrets"
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / name
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        # Another process may be between creating and writing: an empty file is read again, not used.
        for _ in range(50):
            if text := path.read_text().strip():
                return text
            time.sleep(0.02)
        raise SettingsError(f"{path} is empty; delete it so that a new secret can be made.") from None
    with os.fdopen(descriptor, "w") as file:
        text = make()
        file.write(text)
    return text
