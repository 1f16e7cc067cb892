"""What is typed for one clinic, and which of the two ways it means: a drop folder or a bridge's installation."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from urllib.parse import urlsplit

from app.config import VendorSettings
from app.pms.errors import PmsNotConfigured
from app.pms.limits import Limits
from app.pms.onpremise.folder import NAME
from app.pms.onpremise.preset import Preset
from app.pms.port import CredentialField

#: The VetData bridge (seen in code: SNOW, VDC). There is no public sandbox.
BASE_URL = "https://api.vetdata.net/v2"
#: Nothing is published; 60 a minute is a guess. [assumed]
LIMITS = Limits(per_minute=60, per_hour=1000)
#: A file may be this old: made once a day, and an hour or two late. [assumed]
MAX_AGE_HOURS = 26

_GUID = re.compile(r"\{?([0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12})\}?")
#: A practice that shares a database is told by up to three characters (documented: HUB); a bridge's number is longer.
_SITE = re.compile(r"[A-Za-z0-9]{1,20}")
_UNPROVEN = "This way was never run against a live system."


def credentials(label: str) -> tuple[CredentialField, ...]:
    return (
        CredentialField(
            "source",
            "Drop folder or installation ID",
            f"For files: the name of the folder that whoever runs this Runsheet has made for your {label} export. For "
            f"the VetData bridge: the installation ID (a long code with dashes) that Covetrus assigned when your "
            f"clinic agreed to the link. {label}'s own screens show neither. {_UNPROVEN}",
            secret=False,
        ),
        CredentialField(
            "secret",
            "Drop key or bridge password",
            "For files: the text in the file drop.key in that folder; whoever made the folder has it. For the bridge: "
            "the password of the partner account.",
        ),
        CredentialField(
            "username",
            "Bridge user",
            "For the bridge only: the user name of the partner account. Leave it empty for files.",
            secret=False,
            required=False,
        ),
        CredentialField(
            "site_id",
            "Site ID",
            f"Only where several practices share one {label} database: the practice ID your {label} was set up with. "
            "Without it everything is read.",
            secret=False,
            required=False,
        ),
    )


@dataclass(frozen=True, slots=True)
class DropSettings:
    """A folder below the operator's root. `root` None: the operator has set none."""

    folder: str
    root: str | None
    root_setting: str
    key: str = field(repr=False)
    site: str | None = None
    max_age: timedelta = timedelta(hours=MAX_AGE_HOURS)

    @property
    def limit_key(self) -> str:
        return f"drop {_digest(self.root or '', self.folder)}"


@dataclass(frozen=True, slots=True)
class BridgeSettings:
    """An installation at the bridge. `token_url` None: user and password go with every call."""

    base_url: str
    limits: Limits
    installation: str
    username: str
    password: str = field(repr=False)
    site: str | None = None
    token_url: str | None = None
    client_id: str | None = None
    audience: str | None = None
    realm: str | None = None

    @property
    def limit_key(self) -> str:
        """Whose budget a call uses: nobody says; the partner account's is the careful reading. [assumed]"""
        return f"vetdata {urlsplit(self.base_url).netloc} {_digest(self.username)}"


def settings_of(preset: Preset, vendor: VendorSettings, typed: Mapping[str, str]) -> DropSettings | BridgeSettings:
    """What was typed tells which. Raises PmsNotConfigured with a sentence that names what is missing, never a value."""
    given = {name: value.strip() for name, value in typed.items()}
    source, secret, site = given.get("source", ""), given.get("secret", ""), given.get("site_id") or None
    missing = [one.label for one in credentials(preset.label) if one.required and not given.get(one.name)]
    if missing:
        raise PmsNotConfigured(f"{preset.label} needs this clinic's {' and '.join(missing)}.")
    if site is not None and not _SITE.fullmatch(site):
        raise PmsNotConfigured("A site ID has letters and digits only.")
    if guid := _GUID.fullmatch(source):
        return _bridge(preset, vendor, guid[1].lower(), given.get("username", ""), secret, site)
    if not NAME.fullmatch(source):
        raise PmsNotConfigured(
            "This is neither the name of a drop folder (letters, digits, dots and dashes, no path) nor an installation "
            "ID. Copy it once more."
        )
    prefix = preset.kind.upper()
    return DropSettings(
        source, vendor.extra.get("drop_root"), f"{prefix}_DROP_ROOT", secret, site, _max_age(vendor, prefix)
    )


def _bridge(
    preset: Preset, vendor: VendorSettings, installation: str, username: str, password: str, site: str | None
) -> BridgeSettings:
    if not username:
        raise PmsNotConfigured("The bridge needs the user name of the partner account beside its password.")
    if not (username + password).isascii() or ":" in username:
        raise PmsNotConfigured("The bridge's user or password holds a letter that cannot be sent. Copy them once more.")
    extra = vendor.extra
    if vendor.token_url and not extra.get("client_id"):
        raise PmsNotConfigured(
            f"{preset.kind.upper()}_TOKEN_URL is set, so {preset.kind.upper()}_CLIENT_ID is needed as well: Covetrus "
            "gives it to the partner."
        )
    return BridgeSettings(
        base_url(vendor),
        Limits.of(vendor, LIMITS),
        installation,
        username,
        password,
        site,
        vendor.token_url,
        extra.get("client_id"),
        extra.get("audience"),
        extra.get("realm"),
    )


def _max_age(vendor: VendorSettings, prefix: str) -> timedelta:
    text = vendor.extra.get("drop_max_age_hours", str(MAX_AGE_HOURS))
    if not re.fullmatch(r"[1-9]\d{0,2}", text):
        raise PmsNotConfigured(f"{prefix}_DROP_MAX_AGE_HOURS must be a whole number of hours from 1 to 999.")
    return timedelta(hours=int(text))


def base_url(vendor: VendorSettings) -> str:
    """Where the bridge is asked. It also tells the environment: where it is set to a simulator's, so are the files."""
    return (vendor.base_url or BASE_URL).rstrip("/")


def host_of(url: str) -> str:
    return (urlsplit(url).hostname or "").lower()


def _digest(*parts: str) -> str:
    return hashlib.blake2b("\x00".join(parts).encode(), digest_size=12, person=b"onpremise limit").hexdigest()
