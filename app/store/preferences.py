"""What a person set up for themselves in one practice, such as the filters of their run sheet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import bindparam, delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from app.store.models import UserPreference

_INSERT: Mapping[str, Any] = {"postgresql": postgresql.insert, "sqlite": sqlite.insert}

# Built once, and read without the mapper: every run sheet asks for it.
_VALUE = select(UserPreference.value).where(
    UserPreference.user_id == bindparam("user"),
    UserPreference.practice_id == bindparam("practice"),
    UserPreference.name == bindparam("name"),
)


def get(session: Session, user_id: UUID, practice_id: UUID, name: str) -> Mapping[str, Any] | None:
    found: Mapping[str, Any] | None = session.connection().scalar(
        _VALUE, {"user": user_id, "practice": practice_id, "name": name}
    )
    return found


def put(session: Session, user_id: UUID, practice_id: UUID, name: str, value: Mapping[str, Any]) -> None:
    """Remember it, instead of what was remembered under that name."""
    make = _INSERT[session.get_bind().dialect.name](UserPreference).values(
        id=uuid4(), user_id=user_id, practice_id=practice_id, name=name, value=dict(value)
    )
    session.execute(
        make.on_conflict_do_update(
            index_elements=["user_id", "practice_id", "name"], set_={"value": make.excluded.value}
        )
    )


def forget(session: Session, user_id: UUID, practice_id: UUID, name: str) -> None:
    session.execute(
        delete(UserPreference).where(
            UserPreference.user_id == user_id, UserPreference.practice_id == practice_id, UserPreference.name == name
        )
    )
