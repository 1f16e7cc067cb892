"""Every practice of one simulator, who is paired, and the one door through which anything changes."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from app.errors import InvalidInput, NotFound
from app.sandbox import edits
from app.sandbox.clinic.clock import ClinicClock
from app.sandbox.clinic.practice import Practice
from app.sandbox.edits import Access, Edit
from app.sandbox.journal import Journal

#: Letters and digits that nobody mistakes for one another when read out over the telephone.
_CODE_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
CODE_LENGTH = 8


@dataclass(slots=True)
class World:
    """Hold `lock` around every reading that must fit together; `commit` takes it by itself."""

    open_practices: Callable[[], list[Practice]]
    journal: Journal
    paired_at_start: bool = False
    clock: ClinicClock = field(default_factory=ClinicClock)
    lock: threading.RLock = field(default_factory=threading.RLock)
    practices: dict[str, Practice] = field(init=False)
    access: dict[str, Access] = field(init=False)
    #: Pairing codes that can still be used, with their tenants, and those that were.
    codes: dict[str, str] = field(init=False)
    spent: set[str] = field(init=False)

    def __post_init__(self) -> None:
        self._open()
        for edit in self.journal.replay():
            with suppress(NotFound):  # a tenant of an earlier start that this one does not have
                self._apply(edit)

    def _open(self) -> None:
        self.practices = {practice.tenant.id: practice for practice in self.open_practices()}
        self.access = dict.fromkeys(self.practices, "enabled") if self.paired_at_start else {}
        self.codes, self.spent = {}, set()

    def reset(self) -> None:
        """As on the first day: no edits, no pairing, no journal."""
        with self.lock:
            self.journal.forget()
            self.clock.reset()
            self._open()

    @property
    def first(self) -> Practice:
        """The practice that is meant when nobody names one."""
        return next(iter(self.practices.values()))

    def practice(self, tenant_id: str | None) -> Practice:
        """Raises NotFound."""
        if not tenant_id:
            return self.first
        try:
            return self.practices[tenant_id]
        except KeyError:
            raise NotFound("This simulator has no such tenant.") from None

    def commit(self, edit: Edit) -> None:
        """Carry out and remember. Raises NotFound or InvalidInput; nothing is remembered then."""
        with self.lock:
            self._apply(edit)
            self.journal.append(edit)

    def mint_code(self, tenant_id: str | None) -> str:
        """A fresh pairing code of that tenant, as the vendor's marketplace shows it to a practice."""
        code = "".join(secrets.choice(_CODE_LETTERS) for _ in range(CODE_LENGTH))
        self.commit(edits.MintCode(self.practice(tenant_id).tenant.id, code))
        return code

    def spend_code(self, code: str) -> str:
        """Use a code up and pair its tenant; returns the tenant's id. Raises InvalidInput for any other code."""
        with self.lock:
            if code not in self.codes:
                raise InvalidInput("The pairing code is unknown, has expired, or was used before.")
            tenant_id = self.codes[code]
            self.commit(edits.SpendCode(code))
        return tenant_id

    def _apply(self, edit: Edit) -> None:
        match edit:
            case edits.MintCode(tenant_id, code):
                self.codes[code] = self.practice(tenant_id).tenant.id
            case edits.SpendCode(code):
                if code not in self.codes:
                    raise NotFound("This simulator has no such pairing code.")
                self.access[self.codes.pop(code)] = "enabled"
                self.spent.add(code)
            case edits.ExpireCodes(tenant_id):
                self.codes = {code: owner for code, owner in self.codes.items() if owner != tenant_id}
            case edits.SetAccess(tenant_id, access):
                self.access[self.practice(tenant_id).tenant.id] = access
            case edits.Delete():
                self._delete(edit)
            case _:
                self._put(edit)

    def _put(
        self,
        edit: (
            edits.PutTenant | edits.PutPractitioner | edits.PutType | edits.PutPatient | edits.PutVisit | edits.PutRaw
        ),
    ) -> None:
        practice = self.practice(edit.tenant_id)
        match edit:
            case edits.PutTenant(_, tenant):
                practice.set_tenant(tenant)
            case edits.PutPractitioner(_, practitioner):
                practice.practitioners[practitioner.id] = practitioner
            case edits.PutType(_, visit_type):
                practice.types[visit_type.id] = visit_type
            case edits.PutPatient(_, patient):
                practice.patients[patient.id] = patient
            case edits.PutVisit(_, visit):
                practice.put_visit(visit)
            case edits.PutRaw(_, record_id, fields, drop):
                practice.set_raw(record_id, fields, drop)

    def _delete(self, edit: edits.Delete) -> None:
        practice = self.practice(edit.tenant_id)
        match edit.what:
            case "appointment":
                practice.delete_visit(edit.id)
            case "patient":
                practice.patients.pop(edit.id, None)
            case "practitioner":
                practice.practitioners.pop(edit.id, None)
            case "type":
                practice.types.pop(edit.id, None)
