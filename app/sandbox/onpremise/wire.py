"""The clinic as the bridge's records (pms/cornerstone-avimark.md §3.1-3.4); of appointments the shape is assumed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from app import clock
from app.sandbox.onpremise import SITE
from app.sandbox.onpremise.product import Product
from app.sandbox.stage.book import Book
from app.sandbox.stage.model import Patient, Visit

Record = dict[str, object]


def appointments(book: Book, product: Product, visit: Visit) -> Iterator[Record]:
    """One visit: a row for each animal, or one row that counts them, as the product does it."""
    whom = visit.patient_ids if product.per_patient else visit.patient_ids[:1]
    for number, patient_id in enumerate(whom or (None,)):
        record_id = visit.id if number == 0 else f"{visit.id}-{number + 1}"
        more = len(visit.patient_ids) - 1 if not product.per_patient and len(visit.patient_ids) > 1 else 0
        yield book.said(record_id, _appointment(book, product, visit, record_id, patient_id, more))


def _appointment(
    book: Book, product: Product, visit: Visit, record_id: str, patient_id: str | None, more: int
) -> Record:
    patient = book.patients.get(patient_id) if patient_id else None
    owner = patient.owner if patient else None
    kind = book.kinds.get(visit.type_id or "")
    person = book.people[visit.practitioner_ids[0]] if visit.practitioner_ids else None
    note = " ".join(text for text in (visit.note, f"+ {more} more" if more else None) if text)
    return {
        "odata.etag": f'W/"{record_id}"',
        "Id": f"A-{record_id}",
        "PmsId": record_id,
        "ClientId": f"C-{owner.id}" if owner else None,
        "ClientPmsId": owner.id if owner else None,
        "PatientId": f"P-{patient_id}" if patient_id else None,
        "PatientPmsId": patient_id,
        "ProviderId": person.id if person else None,
        "ProviderName": person.name if person else None,
        "AppointmentDate": visit.starts_at.astimezone(book.zone).strftime("%Y-%m-%dT%H:%M:%S"),
        "Duration": visit.minutes,
        "Type": visit.type_id,
        "TypeDescription": kind.name if kind else None,
        "Room": visit.place_id,
        "Reason": visit.reason,
        "Notes": note or None,
        "PmsStatus": visit.word or product.words[visit.state],
        "IsConfirmed": visit.state == "confirmed",
        "SiteId": SITE,
        "InstallationId": product.installation,
        **_audit(book, visit.created_at, visit.modified_at, visit.deleted_at),
    }


def patient(book: Book, one: Patient) -> Record:
    codes = {"Canine": "CAN", "Feline": "FEL", "Lagomorph": "LAG"}
    return book.said(
        one.id,
        {
            "Id": f"P-{one.id}",
            "PmsId": one.id,
            "Name": one.given,
            "Species": codes.get(one.species or "", "OTH"),
            "SpeciesDescription": one.species,
            "Breed": (one.breed or "")[:4].upper() or None,
            "BreedDescription": one.breed,
            "DateOfBirth": f"{one.born}T00:00:00" if one.born else None,
            "CurrentWeight": None,
            "IsDeceased": False,
            "Deleted": False,
            "Inactive": False,
            "SiteId": SITE,
            "APIRemovedDate": None,
        },
    )


def client(book: Book, one: Patient, *, expanded: bool) -> Record:
    """The owner of that animal."""
    assert one.owner is not None, "at a vet's every animal has an owner"
    owner = one.owner
    record: Record = {
        "Id": f"C-{owner.id}",
        "PmsId": owner.id,
        "FirstName": owner.given,
        "LastName": owner.family,
        "Title": None,
        "Deleted": False,
        "Inactive": False,
        "SiteId": SITE,
        "APIRemovedDate": None,
    }
    if expanded:
        other = {"Id": f"T-{owner.id}-1", "Type": "Home", "IsPrimary": False, "Number": "03 5550 0102"}
        main = {"Id": f"T-{owner.id}-2", "Type": "Mobile", "IsPrimary": True, "Number": one.phone}
        record["Phones"] = [other, main] if one.phone else []
        record["Emails"] = [{"Address": one.email}] if one.email else []
    return book.said(owner.id, record)


def _audit(book: Book, made: datetime, changed: datetime, removed: datetime | None) -> Record:
    """The bridge's own stamps, in UTC by its own clock, which is the real one whatever time the clinic plays at."""
    ahead = timedelta(minutes=(clock.now() - book.clock.now()) // timedelta(minutes=1))

    def stamp(at: datetime) -> str:
        return (at + ahead).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")

    return {
        "APICreateDate": stamp(made),
        "APILastChangeDate": stamp(changed),
        "APIRemovedDate": stamp(removed) if removed else None,
    }
