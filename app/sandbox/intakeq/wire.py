"""The account's things as the vendor writes them: PascalCase, milliseconds, one L in Canceled."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from app.sandbox.intakeq import cast
from app.sandbox.intakeq.book import Book
from app.sandbox.intakeq.model import Client, Location, Practitioner, Service, Visit

Record = dict[str, Any]


def appointment(book: Book, visit: Visit) -> Record:
    client = book.clients[visit.client_id]
    service = next(one for one in cast.SERVICES if one.id == visit.service_id)
    place = next(one for one in cast.LOCATIONS if one.id == visit.location_id)
    record = {
        "Id": visit.id,
        **_who(client),
        "ClientDateOfBirth": client.born.isoformat() if client.born else None,
        "Status": visit.status,
        **_when(visit, book.zone),
        "ServiceId": service.id,
        "ServiceName": service.name,
        "LocationId": place.id,
        "LocationName": place.name,
        **_with(book.practitioners[visit.practitioner_id]),
        "Price": service.price,
        "DateCreated": millis(visit.created_at),
        "LastModified": millis(visit.modified_at),
        "BookedByClient": visit.by_client,
        "CreatedBy": client.name if visit.by_client else "Front desk",
        "IntakeId": None,
        "InvoiceId": None,
        "InvoiceNumber": None,
        "ClientNote": visit.client_note,
        "PractitionerNote": visit.practitioner_note,
        "TelehealthInfo": telehealth(visit),
        "PlaceOfService": visit.place_of_service,
        "AttendanceConfirmationResponse": visit.answer,
        "ReminderType": "Email",
        "SessionStart": millis(visit.session_start),
        "SessionEnd": millis(visit.session_end),
        "AdditionalClients": [{**_who(book.clients[one]), "IntakeId": None} for one in visit.also],
        "Procedures": [],
        "CustomFields": [],
        "FullCancellationReason": visit.reason,
        "CancellationReasonNote": None,
        "CancellationDate": _iso(visit.cancelled_at) if visit.cancelled_at else None,
    }
    changed = book.raw.get(visit.id)
    if changed is not None:
        record = {name: value for name, value in {**record, **changed.fields}.items() if name not in changed.drop}
    return record


def _who(client: Client) -> Record:
    return {
        "ClientId": client.id,
        "ClientName": client.name,
        "ClientEmail": client.email or "",
        "ClientPhone": client.phone or "",
    }


def _with(person: Practitioner) -> Record:
    return {"PractitionerId": person.id, "PractitionerName": person.name, "PractitionerEmail": person.email}


def _when(visit: Visit, zone: ZoneInfo) -> Record:
    """Three spellings of one instant; the wall time bears its offset."""
    ends_at = visit.starts_at + timedelta(minutes=visit.minutes)
    told: Record = {"Duration": visit.minutes}
    for name, at in (("Start", visit.starts_at), ("End", ends_at)):
        wall = at.astimezone(zone)
        told[f"{name}Date"] = millis(at)
        told[f"{name}DateIso"] = _iso(at)
        told[f"{name}DateLocal"] = f"{wall:%Y-%m-%dT%H:%M:%S}.0000000{wall.isoformat()[-6:]}"
    told["StartDateLocalFormatted"] = f"{visit.starts_at.astimezone(zone):%A, %B %-d, %Y %-I:%M %p}"
    return told


def telehealth(visit: Visit) -> Record | None:
    """The link the host opens, and an invitation in words with the guest's link in it."""
    if visit.provider is None:
        return None
    key = f"th-{visit.id[:10]}"
    if visit.provider == "Zoom":
        start, join = f"https://zoom.example.com/s/{key}?zak=host-only", f"https://zoom.example.com/j/{key}?pwd=guest"
        words = f"You are invited to a Zoom meeting.\n\nJoin Zoom Meeting\n{join}\n\nMeeting ID: 901"
    else:
        start, join = f"https://video.example.com/start/{key}", f"https://video.example.com/j/{key}"
        words = f"Join at {join}."
    return {"Id": key, "Provider": visit.provider, "StartUrl": start, "Invitation": words, "InvitationCode": "482913"}


def practitioner(one: Practitioner) -> Record:
    return {
        "Id": one.id,
        "FirstName": one.first,
        "LastName": one.last,
        "CompleteName": one.name,
        "Email": one.email,
        "ExternalPractitionerId": None,
        "DateCreated": millis(one.created_at),
        "IsInactive": one.inactive,
        "RoleName": "Practitioner",
    }


def settings(book: Book) -> Record:
    """What can be booked: nobody who left."""
    return {
        "Locations": [_location(one) for one in cast.LOCATIONS],
        "Services": [_service(one) for one in cast.SERVICES],
        "Practitioners": [
            {name: value for name, value in practitioner(one).items() if name not in ("IsInactive", "RoleName")}
            for one in book.practitioners.values()
            if not one.inactive
        ],
    }


def _location(one: Location) -> Record:
    return {"Id": str(one.id), "Name": one.name, "Address": one.address}  # a text here, a number on appointments


def _service(one: Service) -> Record:
    return {"Id": one.id, "Name": one.name, "Duration": one.minutes, "Price": one.price}


def client_row(one: Client) -> Record:
    """A row of the list without `includeProfile`: the number goes by another name there."""
    return {"ClientNumber": one.id, "Name": one.name, "Email": one.email or "", "Phone": one.phone or ""}


def profile(one: Client) -> Record:
    """The birthday is milliseconds here, a text on appointments."""
    return {
        "ClientId": one.id,
        "Name": one.name,
        "FirstName": one.first,
        "LastName": one.last,
        "MiddleName": None,
        "Email": one.email or "",
        "Phone": one.phone or "",
        "HomePhone": None,
        "WorkPhone": None,
        "MobilePhone": one.mobile,
        "DateOfBirth": millis(_midnight(one.born)) if one.born else None,
        "Archived": False,
        "PractitionerId": None,
    }


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def millis(at: datetime | None) -> int | None:
    return None if at is None else round(at.timestamp() * 1000)


def _iso(at: datetime) -> str:
    """UTC, with seven digits of a second."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}0Z"
