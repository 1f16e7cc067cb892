"""The demo's practice: made once, paired through the real adapter over HTTP with the simulated Gentu."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from uuid import UUID

import requests
from sqlalchemy import select
from sqlalchemy.orm import Session

from app import clock
from app.domain.suggest import telehealth_reason
from app.errors import RunsheetError
from app.parts import Parts
from app.security import passwords
from app.security.roles import Role
from app.store import catalogue, choices, connections, practices
from app.store.models import Membership, PmsConnection, Practice, User
from app.store.models.connection import ConnectionState
from app.sync import preview

NAME, ZONE = "Smith Medical Centre", "Australia/Melbourne"
LOG_INS = {
    "reception@demo.example": Role.RECEPTIONIST,
    "clinician@demo.example": Role.CLINICIAN,
    "admin@demo.example": Role.ADMIN,
    "owner@demo.example": Role.OWNER,
}


def password(home: Path) -> str:
    """One random password for all demo log-ins of this home folder."""
    path = home / "secrets" / "demo_password"
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text().strip()
    made = "-".join(secrets.token_hex(3) for _ in range(3))
    with os.fdopen(descriptor, "w") as file:
        file.write(made)
    return made


def ensure(here: Parts, control_url: str, demo_password: str) -> None:
    """The practice, its people and its live connection; whatever of it is there already stays as it is."""
    with here.store.write() as session:
        practice = session.scalars(select(Practice).where(Practice.is_demo)).first()
        if practice is None:
            practice = practices.create(session, NAME, ZONE, is_demo=True)
        _keep_people(session, practice, demo_password)
        known = connections.of_practice(session, practice.id)
        practice_id = practice.id
    if any(one.state != ConnectionState.DRAFT for one in known):
        return
    draft = known[0] if known else preview.new_connection(here.engine, practice_id, "gentu", "Gentu")
    _connect(here, practice_id, draft, control_url)


def _keep_people(session: Session, practice: Practice, demo_password: str) -> None:
    """Everybody in LOG_INS, with the password that is printed: the home folder may be newer than the database."""
    found = session.scalars(select(User).join(Membership).where(Membership.practice_id == practice.id))
    members = {user.email: user for user in found}
    for email, role in LOG_INS.items():
        if email not in members:
            practices.add_user(session, practice, practices.NewUser(email, f"Demo {role}", role, demo_password))
        elif not passwords.verify(members[email].password_hash, demo_password):
            members[email].password_hash = passwords.hash_password(demo_password)


def _connect(here: Parts, practice_id: UUID, draft: PmsConnection, control_url: str) -> None:
    """Pair, give everybody a column, tick what says telehealth (the demo's own choice), go live."""
    if draft.tenant_id is None:
        preview.pair(here.engine, practice_id, draft.id, _new_code(control_url))
    else:
        preview.read_catalogue(here.engine, practice_id, draft.id)
    with here.store.write() as session:
        connection = connections.one_of_practice(session, practice_id, draft.id)
        practice = practices.get(session, practice_id)
        catalogue.map_everybody(session, practice_id, connection.id)
        types = catalogue.types_of(session, connection.id)
        telehealth = {row.id for row in types if telehealth_reason(row.pms_type_name)}
        choices.set_telehealth(session, connection, practice, telehealth, clock.now())
        clinicians = catalogue.clinicians_of(session, practice_id)
        member = session.scalars(
            select(Membership).where(Membership.practice_id == practice_id, Membership.role == Role.CLINICIAN)
        ).first()
        if member is not None and clinicians:
            member.clinician_id = clinicians[0].id
    preview.finish_pairing(here.engine, practice_id, draft.id)


def _new_code(control_url: str) -> str:
    """A pairing code, as a practice would read it off Gentu's own screen."""
    with requests.Session() as session:
        session.trust_env = False  # a proxy has no part in speaking to ourselves
        answer = session.post(f"{control_url}pairing-codes", json={}, timeout=10)
    if not answer.ok:
        raise RunsheetError("The simulator gave no pairing code.")
    return str(answer.json()["code"])
