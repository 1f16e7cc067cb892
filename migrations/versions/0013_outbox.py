"""What a practice wants its PMS to be told, and the outbox it is told from.

Revision ID: 0013
Revises: 0012
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    op.add_column("pms_connections", sa.Column("tells", _JSON, nullable=False, server_default="[]"))
    op.create_table(
        "outbox",
        sa.Column("appointment_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.String(length=120), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("practice_id", sa.Uuid(), nullable=False),
        sa.Column("pms_connection_id", sa.Uuid(), nullable=False),
        sa.CheckConstraint("state IN ('waiting', 'told', 'overtaken', 'given_up')", name=op.f("ck_outbox_state_known")),
        sa.ForeignKeyConstraint(
            ["appointment_id"],
            ["run_sheet_appointments.id"],
            name=op.f("fk_outbox_appointment_id_run_sheet_appointments"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["created_by"], ["users.id"], name=op.f("fk_outbox_created_by_users"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["pms_connection_id"],
            ["pms_connections.id"],
            name=op.f("fk_outbox_pms_connection_id_pms_connections"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["practice_id"], ["practices.id"], name=op.f("fk_outbox_practice_id_practices"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        sa.UniqueConstraint("key", name=op.f("uq_outbox_key")),
    )
    waiting = sa.text("state = 'waiting'")
    with op.batch_alter_table("outbox") as batch_op:
        batch_op.create_index("ix_outbox_waiting", ["due_at"], postgresql_where=waiting, sqlite_where=waiting)
        batch_op.create_index(batch_op.f("ix_outbox_appointment_id"), ["appointment_id"])
        batch_op.create_index(batch_op.f("ix_outbox_practice_id"), ["practice_id"])


def downgrade() -> None:
    op.drop_table("outbox")
    op.drop_column("pms_connections", "tells")
