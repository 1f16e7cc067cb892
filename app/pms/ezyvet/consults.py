"""Consultations for many appointments at once: the consults by id, then each clinical part in one question for all.

60 calls a minute go to one endpoint, so one call per consult and part would stall first. A part that cannot be read is
named in `missing`; only what no further call could mend is raised.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar
from zoneinfo import ZoneInfo

import msgspec

from app import clock
from app.domain.consultation import ConsultationRef, Consulted, Item
from app.domain.window import Window, day_of
from app.pms.errors import PmsBadRequest, PmsForbidden, PmsMalformed, PmsNotFound
from app.pms.ezyvet import lists, notes, wire
from app.pms.ezyvet.coerce import flag, ident, instant, needed_ident, words
from app.pms.ezyvet.joins import names_of
from app.pms.ezyvet.lists import BATCH, Lists, Resource
from app.pms.ezyvet.notes import Held
from app.pms.markup import plain
from app.pms.rows import RowFault, read

Row = TypeVar("Row", bound=wire.OfConsult)

#: What befalls one list and says nothing about the next. Everything else ends the asking.
_PASSING = (PmsForbidden, PmsNotFound, PmsBadRequest, PmsMalformed)
_TEXTS = {
    "subjective": lists.HISTORY,
    "objective": lists.PHYSICAL_EXAM,
    "assessment": lists.ASSESSMENT,
    "plan": lists.PLAN,
}


class Consults:
    """One run's consultations."""

    def __init__(self, asked: Lists, zone: ZoneInfo) -> None:
        self._asked = asked
        self._zone = zone

    def of(self, wanted: Sequence[ConsultationRef]) -> Iterator[Consulted]:
        """One answer for each wanted. Raises a PmsError no further call would mend."""
        for start in range(0, len(wanted), BATCH):
            yield from self._answers(wanted[start : start + BATCH])

    def _answers(self, wanted: Sequence[ConsultationRef]) -> Iterator[Consulted]:
        try:
            told, unreadable = self._named({ref.consultation_id for ref in wanted if ref.consultation_id})
            guessed = self._inferred([ref for ref in wanted if not ref.consultation_id], set(told))
        except _PASSING as error:
            yield from (Consulted(ref, None, error.reason) for ref in wanted)
            return
        self._read_parts({held.external_id: held for held in (*told.values(), *guessed.values())})
        now = clock.now()
        for ref in wanted:
            held = told.get(ref.consultation_id) if ref.consultation_id else guessed.get(ref.appointment_id)
            if held is not None:
                yield Consulted(ref, held.told(ref, now, inferred=not ref.consultation_id))
            elif ref.consultation_id in unreadable:
                yield Consulted(ref, None, "bad_envelope")
            else:
                yield Consulted(ref, None, "not_found" if ref.consultation_id else "none_yet")

    # --- which consult ------------------------------------------------------------------------------------------------

    def _named(self, ids: set[str]) -> tuple[dict[str, Held], set[str]]:
        """Consults by id, and those whose record cannot be read. One that was taken out is as good as none."""
        found: dict[str, Held] = {}
        records = self._asked.among(lists.CONSULT, "id", ids)
        bad = 0
        for record in records:
            try:
                held = _held(record)
            except RowFault:
                bad += 1
                continue
            if held is not None:
                found[held.external_id] = held
        return found, ids - found.keys() if bad else set()

    def _inferred(self, refs: Sequence[ConsultationRef], taken: set[str]) -> dict[str, Held]:
        """By appointment: the one consult of that animal on that day that no appointment names. [assumed]

        Where there are several nothing is guessed, nor where two appointments could mean the same one.
        """
        animals = {ref.patient_id for ref in refs if ref.patient_id}
        if not animals:
            return {}
        days = [day_of(ref.starts_at, self._zone) for ref in refs if ref.patient_id]
        window = Window(min(days), max(days), self._zone)
        within = {"gte": int(window.start.timestamp()), "lt": int(window.end.timestamp())}
        found: dict[tuple[str, object], list[Held]] = {}
        for record in self._asked.among(lists.CONSULT, "animal_id", animals, date=within):
            try:
                held = _held(record)
            except RowFault:
                continue
            if held is not None and held.animal_id and held.held_at and held.external_id not in taken:
                found.setdefault((held.animal_id, day_of(held.held_at, self._zone)), []).append(held)
        asked: dict[tuple[str, object], list[str]] = {}
        for ref in refs:
            if ref.patient_id:
                key = (ref.patient_id, day_of(ref.starts_at, self._zone))
                asked.setdefault(key, []).append(ref.appointment_id)
        return {
            appointments[0]: found[key][0]
            for key, appointments in asked.items()
            if len(appointments) == 1 and len(found.get(key, ())) == 1
        }

    # --- its parts ----------------------------------------------------------------------------------------------------

    def _read_parts(self, held: dict[str, Held]) -> None:
        if not held:
            return
        for part, resource in _TEXTS.items():
            self._part(held, part, resource, wire.note, lambda one, row, part=part: one.text(part, row))  # type: ignore[misc]
        self._part(
            held,
            "vitals",
            lists.HEALTH_STATUS,
            wire.health_status,
            lambda one, row: one.vitals.append(notes.vitals(row)),
        )
        self._part(held, "items", lists.INVOICE_LINE, wire.invoice_line, _line)
        self._guarded(held, "diagnoses", lambda: self._diagnoses(held))
        self._part(held, "treatments", lists.THERAPEUTIC, wire.therapeutic, _treatment)
        self._guarded(held, "treatments", lambda: self._vaccinations(held))
        self._guarded(held, "treatments", lambda: self._prescriptions(held))

    def _part(
        self,
        held: dict[str, Held],
        part: str,
        resource: Resource,
        decoder: msgspec.json.Decoder[Row],
        take: Callable[[Held, Row], None],
    ) -> None:
        def fetch() -> None:
            for one, row in self._rows(held, part, resource, decoder):
                with _blaming(one, part):
                    take(one, row)

        self._guarded(held, part, fetch)

    def _guarded(self, held: dict[str, Held], part: str, fetch: Callable[[], None]) -> None:
        """A part that could not be read is missing in all of them. 403: its scope was not granted."""
        try:
            fetch()
        except _PASSING:
            for one in held.values():
                one.missing.add(part)

    def _rows(
        self, held: dict[str, Held], part: str, resource: Resource, decoder: msgspec.json.Decoder[Row]
    ) -> Iterator[tuple[Held, Row]]:
        """The part's records with whose they are. One that cannot be read makes the part missing: where it does not
        even say whose it is, in all of them.
        """
        for record in self._asked.among(resource, "consult_id", held):
            try:
                row = read(decoder, record)
                one = held.get(needed_ident(row.consult_id, "$.consult_id"))
                if one is None:
                    continue  # a consult nobody asked for
                one.changed(row.created_at, row.modified_at)
                if flag(row.active, "$.active") is not False:
                    yield one, row
            except RowFault:
                for whose in _whose(record, held):
                    whose.missing.add(part)

    def _diagnoses(self, held: dict[str, Held]) -> None:
        links: list[tuple[Held, str]] = []
        for one, row in self._rows(held, "diagnoses", lists.PROBLEM_LINK, wire.problem_link):
            with _blaming(one, "diagnoses"):
                if problem := ident(row.presenting_problem_id, "$.presenting_problem_id"):
                    links.append((one, problem))
        names: dict[str, str] = {}
        if links:
            wanted = {problem for _, problem in links}
            names = {id_: name for id_, name in _named_rows(self._asked.among(lists.PROBLEM, "id", wanted)) if name}
        for one, problem in links:
            if problem in names:
                one.diagnoses.append(names[problem])
            else:
                one.missing.add("diagnoses")

    def _vaccinations(self, held: dict[str, Held]) -> None:
        """They have no animal of their own: the consult is the way to them (documented: DEV)."""
        rows = list(self._rows(held, "treatments", lists.VACCINATION, wire.vaccination))
        products = self._products(row.product_id for _, row in rows)
        for one, row in rows:
            with _blaming(one, "treatments"):
                name = words(row.description) or notes.product_name(ident(row.product_id, "$.product_id"), products)
                one.treatments.append(Item(name, notes.quantity(row.qty), plain(row.notes)))

    def _prescriptions(self, held: dict[str, Held]) -> None:
        of: dict[str, Held] = {}
        for one, row in self._rows(held, "treatments", lists.PRESCRIPTION, wire.of_consult):
            with _blaming(one, "treatments"):
                of[needed_ident(row.id, "$.id")] = one
        items: list[tuple[Held, wire.PrescriptionItem]] = []
        for record in self._asked.among(lists.PRESCRIPTION_ITEM, "prescription_id", of):
            try:
                item = read(wire.prescription_item, record)
                whose = of.get(needed_ident(item.prescription_id, "$.prescription_id"))
                if whose is not None:
                    whose.changed(item.modified_at)
                    items.append((whose, item))
            except RowFault:
                for one in of.values():
                    one.missing.add("treatments")
        products = self._products(item.product_id for _, item in items)
        for one, item in items:
            with _blaming(one, "treatments"):
                name = notes.product_name(ident(item.product_id, "$.product_id"), products)
                one.treatments.append(Item(name, notes.quantity(item.qty), plain(item.instructions)))

    def _products(self, ids: Iterable[str | int | float | bool | None]) -> dict[str, str]:
        wanted = sorted({str(id_) for id_ in ids if id_ not in (None, "", 0, "0", False)})
        return names_of(self._asked, lists.PRODUCT, wanted) if wanted else {}


@contextmanager
def _blaming(one: Held, part: str) -> Iterator[None]:
    """A value that cannot stand makes its part of that one consult missing."""
    try:
        yield
    except RowFault:
        one.missing.add(part)


def _held(record: bytes) -> Held | None:
    """A consult; None for one that was taken out. Raises RowFault."""
    row = read(wire.consult, record)
    if flag(row.active, "$.active") is False:
        return None
    held = Held(needed_ident(row.id, "$.id"), ident(row.animal_id, "$.animal_id"), instant(row.date, "$.date"))
    held.changed(row.created_at, row.modified_at)
    return held


def _line(one: Held, row: wire.InvoiceLine) -> None:
    one.items.append(Item(words(row.name) or "Unnamed item", notes.quantity(row.quantity)))


def _treatment(one: Held, row: wire.Therapeutic) -> None:
    one.treatments.append(Item(words(row.name) or "Unnamed treatment", None, plain(row.comments)))


def _whose(record: bytes, held: dict[str, Held]) -> list[Held]:
    try:
        id_ = ident(read(_only_consult, record).consult_id, "$.consult_id")
    except RowFault:
        id_ = None
    return [held[id_]] if id_ in held else list(held.values())


class _OnlyConsult(msgspec.Struct):
    consult_id: str | int


_only_consult = msgspec.json.Decoder(_OnlyConsult)


def _named_rows(records: Iterable[bytes]) -> Iterator[tuple[str, str | None]]:
    for record in records:
        try:
            row = read(wire.named, record)
            yield needed_ident(row.id, "$.id"), words(row.name)
        except RowFault:
            continue
