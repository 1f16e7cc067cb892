"""What people change in the simulated world. Each edit says how things are afterwards."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from app.sandbox.clinic.model import Patient, Practitioner, Tenant, Visit, VisitType

#: enabled: paired and open; disabled: was paired, and somebody has switched the access off.
Access = Literal["enabled", "disabled"]


class MintCode(Struct, frozen=True, tag="mint_code"):
    tenant_id: str
    code: str


class SpendCode(Struct, frozen=True, tag="spend_code"):
    """The code is used up and its tenant paired."""

    code: str


class ExpireCodes(Struct, frozen=True, tag="expire_codes"):
    """No code of that tenant works any more."""

    tenant_id: str


class SetAccess(Struct, frozen=True, tag="set_access"):
    tenant_id: str
    access: Access


class PutTenant(Struct, frozen=True, tag="put_tenant"):
    tenant_id: str
    tenant: Tenant


class PutPractitioner(Struct, frozen=True, tag="put_practitioner"):
    tenant_id: str
    practitioner: Practitioner


class PutType(Struct, frozen=True, tag="put_type"):
    tenant_id: str
    visit_type: VisitType


class PutPatient(Struct, frozen=True, tag="put_patient"):
    tenant_id: str
    patient: Patient


class PutVisit(Struct, frozen=True, tag="put_visit"):
    tenant_id: str
    visit: Visit


class Delete(Struct, frozen=True, tag="delete"):
    """A record that answers 404 from now on."""

    tenant_id: str
    what: Literal["appointment", "patient", "practitioner", "type"]
    id: str


class PutRaw(Struct, frozen=True, tag="put_raw"):
    """Fields of the vendor's own record, whatever the clinic holds; names in `drop` are left out of it."""

    tenant_id: str
    id: str
    fields: dict[str, object]
    drop: tuple[str, ...] = ()


Edit = (
    MintCode
    | SpendCode
    | ExpireCodes
    | SetAccess
    | PutTenant
    | PutPractitioner
    | PutType
    | PutPatient
    | PutVisit
    | Delete
    | PutRaw
)
