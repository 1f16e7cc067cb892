"""Patients, their ids at each system, their organisations, doubtful matches; days of a phase's own; daily discovery.

Revision ID: 0010
Revises: 0009
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_TYPE = "ck_pms_sync_log_sync_type_known"
_BEFORE, _AFTER = (
    "sync_type IN ('full', 'incremental', 'manual')",
    "sync_type IN ('full', 'incremental', 'manual', 'automated_daily')",
)


def _json() -> sa.types.TypeEngine[object]:
    return sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def _at(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _person() -> tuple[sa.Column[object], ...]:
    return (
        sa.Column("first_name", sa.String(length=255), nullable=True),
        sa.Column("last_name", sa.String(length=255), nullable=True),
        sa.Column("email", sa.String(length=255), nullable=True),
        sa.Column("phone", sa.String(length=40), nullable=True),
        sa.Column("birth_date", sa.Date(), nullable=True),
    )


def _key(table: str) -> tuple[sa.Column[object], sa.PrimaryKeyConstraint]:
    return sa.Column("id", sa.Uuid(), nullable=False), sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}"))


def _refers(table: str, column: str, to: str, ondelete: str = "CASCADE") -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{to}.id"], name=op.f(f"fk_{table}_{column}_{to}"), ondelete=ondelete)


def _belongs(table: str, *columns: tuple[str, str], nullable: bool = False) -> tuple[object, ...]:
    """Columns that refer to other tables; nullable ones outlive what they refer to."""
    ondelete = "SET NULL" if nullable else "CASCADE"
    made: list[object] = []
    for column, to in columns:
        made += [sa.Column(column, sa.Uuid(), nullable=nullable), _refers(table, column, to, ondelete)]
    return tuple(made)


_PRACTICE, _CONNECTION = ("practice_id", "practices"), ("pms_connection_id", "pms_connections")


def _index(table: str, *columns: str) -> None:
    op.create_index(op.f(f"ix_{table}_{'_'.join(columns)}"), table, list(columns), unique=False)


def upgrade() -> None:
    op.add_column("pms_sync_log", sa.Column("own_windows", _json(), nullable=True))
    _sync_types(_AFTER)
    _patients()
    _organizations()
    _reviews()


def _patients() -> None:
    table = "patients"
    op.create_table(
        table,
        *_person(),
        sa.Column("name_key", sa.String(length=520), nullable=False),
        sa.Column("email_key", sa.String(length=255), nullable=True),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("origin", sa.String(length=20), nullable=False),
        sa.Column("created_run_id", sa.Uuid(), nullable=True),
        _at("refreshed_at", nullable=True),
        _at("created_at"),
        _at("updated_at"),
        *_key(table),
        *_belongs(table, _PRACTICE),
        *_belongs(table, ("created_by", "users"), nullable=True),
        sa.CheckConstraint("status IN ('active', 'inactive')", name=op.f("ck_patients_status_known")),
        sa.CheckConstraint("origin IN ('discovery', 'hand')", name=op.f("ck_patients_origin_known")),
    )
    _index(table, "practice_id")
    _index(table, "practice_id", "email_key")
    _index(table, "practice_id", "name_key")
    table = "patient_external_ids"
    op.create_table(
        table,
        sa.Column("external_id", sa.String(length=255), nullable=False),
        sa.Column("linked_by", sa.String(length=20), nullable=False),
        _at("linked_at"),
        sa.Column("linked_run_id", sa.Uuid(), nullable=True),
        sa.Column("discovery_id", sa.Uuid(), nullable=True),
        *_key(table),
        *_belongs(table, _PRACTICE, _CONNECTION, ("patient_id", "patients")),
        *_belongs(table, ("linked_user_id", "users"), nullable=True),
        sa.CheckConstraint(
            "linked_by IN ('discovery', 'email', 'person')", name=op.f("ck_patient_external_ids_linked_by_known")
        ),
        sa.UniqueConstraint(
            "pms_connection_id", "external_id", name=op.f("uq_patient_external_ids_pms_connection_id_external_id")
        ),
    )
    _index(table, "practice_id")
    _index(table, "patient_id")


def _organizations() -> None:
    table = "organizations"
    op.create_table(
        table,
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("name_key", sa.String(length=255), nullable=False),
        _at("created_at"),
        _at("updated_at"),
        *_key(table),
        *_belongs(table, _PRACTICE),
        *_belongs(table, ("created_by", "users"), nullable=True),
        sa.UniqueConstraint("practice_id", "name_key", name=op.f("uq_organizations_practice_id_name_key")),
    )
    _index(table, "practice_id")
    table = "patient_organization_affiliations"
    op.create_table(
        table,
        _at("since"),
        _at("ended_at", nullable=True),
        *_key(table),
        *_belongs(table, _PRACTICE, ("patient_id", "patients"), ("organization_id", "organizations")),
        *_belongs(table, ("added_by", "users"), ("ended_by", "users"), nullable=True),
    )
    _index(table, "practice_id")
    _index(table, "organization_id")
    op.create_index(
        "uq_patient_organization_affiliations_standing",
        table,
        ["patient_id", "organization_id"],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
        sqlite_where=sa.text("ended_at IS NULL"),
    )


def _reviews() -> None:
    table = "discovery_reviews"
    op.create_table(
        table,
        *_person(),
        sa.Column("external_id", sa.String(length=255), nullable=False),
        sa.Column("candidates", _json(), nullable=False),
        sa.Column("doubt", sa.String(length=20), nullable=False),
        _at("opened_at"),
        _at("seen_at"),
        sa.Column("run_id", sa.Uuid(), nullable=True),
        sa.Column("discovery_id", sa.Uuid(), nullable=True),
        sa.Column("decision", sa.String(length=20), nullable=True),
        _at("decided_at", nullable=True),
        *_key(table),
        *_belongs(table, _PRACTICE, _CONNECTION),
        *_belongs(table, ("patient_id", "patients"), ("decided_by", "users"), nullable=True),
        sa.CheckConstraint(
            "doubt IN ('several', 'other_id', 'disagree', 'contradict')", name=op.f("ck_discovery_reviews_doubt_known")
        ),
        sa.CheckConstraint("decision IN ('same', 'another')", name=op.f("ck_discovery_reviews_decision_known")),
        sa.UniqueConstraint(
            "pms_connection_id", "external_id", name=op.f("uq_discovery_reviews_pms_connection_id_external_id")
        ),
    )
    _index(table, "practice_id")
    _index(table, "practice_id", "decided_at", "opened_at")


def _sync_types(allowed: str) -> None:
    sqlite = op.get_bind().dialect.name == "sqlite"
    if sqlite:  # it makes the table anew, and dropping the old one takes the phases of every run along
        op.execute("CREATE TEMPORARY TABLE kept_phases AS SELECT * FROM pms_sync_phases")
    with op.batch_alter_table("pms_sync_log") as batch_op:
        batch_op.drop_constraint(op.f(_TYPE), type_="check")
        batch_op.create_check_constraint(op.f(_TYPE), allowed)
    if sqlite:
        op.execute("DELETE FROM pms_sync_phases")
        op.execute("INSERT INTO pms_sync_phases SELECT * FROM kept_phases")
        op.execute("DROP TABLE kept_phases")


def downgrade() -> None:
    for table in (
        "discovery_reviews",
        "patient_organization_affiliations",
        "organizations",
        "patient_external_ids",
        "patients",
    ):
        op.drop_table(table)
    op.execute("UPDATE pms_sync_log SET sync_type = 'incremental' WHERE sync_type = 'automated_daily'")
    _sync_types(_BEFORE)
    op.drop_column("pms_sync_log", "own_windows")
