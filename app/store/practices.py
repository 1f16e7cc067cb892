"""Practices, their people, and who of them may come in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID, uuid4

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.domain.window import zone_of
from app.errors import InvalidInput, NotFound
from app.security import passwords
from app.security.roles import Role
from app.store.models import Membership, Practice, ScheduleConfig, User


def create(session: Session, name: str, timezone: str, *, is_demo: bool = False) -> Practice:
    """A new practice. Raises InvalidInput for a blank name or an unknown zone."""
    cleaned = " ".join(name.split())
    if not cleaned:
        raise InvalidInput({"name": "A practice needs a name."})
    if len(cleaned) > 255:
        raise InvalidInput({"name": "Use at most 255 characters for the practice's name."})
    zone_of(timezone)
    practice = Practice(id=uuid4(), name=cleaned, timezone=timezone, is_demo=is_demo)
    session.add(practice)
    session.flush()
    session.add(ScheduleConfig(practice_id=practice.id, zone=timezone))
    session.flush()
    return practice


def get(session: Session, practice_id: UUID) -> Practice:
    practice = session.get(Practice, practice_id)
    if practice is None:
        raise NotFound(f"There is no practice {practice_id}.")
    return practice


def hold(session: Session, practice_id: UUID) -> None:
    """Wait for whoever decides about this practice as a whole. Before any of its connections is held."""
    session.execute(select(Practice.id).where(Practice.id == practice_id).with_for_update(key_share=True))


def everyone(session: Session) -> Sequence[Practice]:
    return session.scalars(select(Practice).order_by(Practice.created_at)).all()


def role_of(text: str) -> Role:
    """The role of that name. Raises InvalidInput."""
    try:
        return Role(text.strip().lower())
    except ValueError:
        raise InvalidInput({"role": f"“{text}” is not a role. Use one of {', '.join(Role)}."}) from None


@dataclass(frozen=True, slots=True)
class NewUser:
    email: str
    name: str
    role: Role
    password: str


def clean_email(text: str) -> str:
    email = text.strip().lower()
    local, at, domain = email.partition("@")
    if not (local and at and "." in domain) or any(c.isspace() for c in email) or len(email) > 255:
        raise InvalidInput({"email": f"“{text.strip()}” is not an e-mail address."})
    return email


def add_user(session: Session, practice: Practice, new: NewUser) -> User:
    """A new user with a role in this practice. Raises InvalidInput: a taken address, a weak password.

    Somebody who already has an account elsewhere keeps their password: this only adds the membership.
    """
    email = clean_email(new.email)
    user = session.scalars(select(User).where(User.email == email)).one_or_none()
    if user is not None:
        member = select(Membership).where(Membership.user_id == user.id, Membership.practice_id == practice.id)
        if session.scalars(member).one_or_none() is not None:
            raise InvalidInput({"email": f"{email} is already a member of this practice."})
    else:
        passwords.require_strong(new.password, email, new.name, practice.name)
        user = User(
            id=uuid4(),
            email=email,
            name=" ".join(new.name.split()) or email.partition("@")[0],
            password_hash=passwords.hash_password(new.password),
        )
        session.add(user)
        session.flush()
    session.add(Membership(id=uuid4(), practice_id=practice.id, user_id=user.id, role=new.role))
    session.flush()
    return user


def names_of(session: Session, user_ids: set[UUID]) -> dict[UUID, str]:
    """How to call these users on a page."""
    if not user_ids:
        return {}
    rows = session.execute(select(User.id, User.name).where(User.id.in_(user_ids)))
    return {row.id: row.name for row in rows}
