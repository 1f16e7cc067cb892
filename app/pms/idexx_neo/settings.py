"""What is typed for one IDEXX Neo clinic, and where it is asked: a user of the clinic's, and how to log in as them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from app.config import VendorSettings
from app.pms.errors import PmsNotConfigured
from app.pms.limits import Limits
from app.pms.port import CredentialField

#: The first part of the hosts' names (seed; seen in code: odis/ext). A clinic's data live in one of them.
REGIONS = ("us", "ca", "uk")
BASE_URL = "https://{region}.idexxneo.com"
#: None are published. As for every vendor that publishes none: a session of a person's must not be worn out.
LIMITS = Limits(per_minute=60, per_hour=1000)

#: Ways to log in. The browser is what all public code does; the others are cheaper, and only tried where chosen.
BROWSER, FORM, COOKIES = "browser", "form", "cookies"
WAYS = (BROWSER, FORM, COOKIES)

CREDENTIALS = (
    CredentialField(
        "username",
        "User name",
        "The log-in of a Neo user made for Runsheet alone, who may see the calendar and consultations: an "
        "administrator adds one among the clinic's users in Neo's settings. Leave it empty where cookies are pasted.",
        secret=False,
        required=False,
    ),
    CredentialField("password", "Password", "That user's password in Neo.", required=False),
    CredentialField(
        "company_id",
        "Company ID",
        "What you type into “Company ID” on Neo's log-in page. Leave it empty where the page does not ask for it.",
        secret=False,
        required=False,
    ),
    CredentialField(
        "region",
        "Region",
        "The first part of the address you open Neo at: us, ca or uk (us.idexxneo.com is us). Empty means us.",
        secret=False,
        required=False,
    ),
    CredentialField(
        "login_by",
        "Log in by",
        "browser (the default: a real browser fills in Neo's log-in page), form (the same page without a browser: "
        "quicker, where your Neo allows it) or cookies (those pasted below).",
        secret=False,
        required=False,
    ),
    CredentialField(
        "cookies",
        "Cookies",
        "Only for “cookies”: log in to Neo in your browser, open its developer tools, Network, choose any request to "
        "Neo and copy the value of its Cookie header. It ends when that session ends.",
        required=False,
    ),
)


@dataclass(frozen=True, slots=True)
class NeoSettings:
    """One clinic's log-in. Whether it is whole is looked at when somebody logs in (`whole`)."""

    base_url: str
    region: str
    way: str
    username: str = field(repr=False)
    password: str = field(repr=False)
    company_id: str = ""
    cookies: str = field(default="", repr=False)
    headless: bool = True

    @classmethod
    def of(cls, vendor: VendorSettings, credentials: Mapping[str, str]) -> NeoSettings:
        """The settings, complete or not. Raises PmsNotConfigured for a region or a way nobody knows."""
        typed = {one.name: credentials.get(one.name, "").strip() for one in CREDENTIALS}
        region, way = typed["region"].lower() or REGIONS[0], typed["login_by"].lower() or BROWSER
        if region not in REGIONS:
            raise PmsNotConfigured(f"The region is one of {', '.join(REGIONS)}.")
        if way not in WAYS:
            raise PmsNotConfigured(f"“Log in by” takes {', '.join(WAYS)}.")
        return cls(
            vendor.base_url.rstrip("/") if vendor.base_url else BASE_URL.format(region=region),
            region,
            way,
            typed["username"],
            typed["password"],
            typed["company_id"],
            typed["cookies"],
            vendor.headless,
        )

    def whole(self) -> None:
        """Raises PmsNotConfigured naming what this way to log in still needs."""
        needed = ("cookies",) if self.way == COOKIES else ("username", "password")
        missing = [one.label for one in CREDENTIALS if one.name in needed and not getattr(self, one.name)]
        if missing:
            what = " and ".join(missing)
            raise PmsNotConfigured(
                f"To log in to IDEXX Neo by {self.way}, {what} {'is' if len(missing) == 1 else 'are'} needed.",
                reason="not_paired",
            )

    @property
    def limit_key(self) -> str:
        """Whose budget a call uses: the user's. A digest, since keys are written to Redis."""
        whose = "\x00".join((self.company_id, self.username or self.cookies))
        return f"idexx_neo {urlsplit(self.base_url).netloc} {hashlib.sha256(whose.encode()).hexdigest()[:16]}"


def base_url(vendor: VendorSettings) -> str:
    """The address Neo is asked at, as far as the operator decides: a clinic's region decides the rest."""
    return (vendor.base_url or BASE_URL.format(region=REGIONS[0])).rstrip("/")
