"""Removals held for a person; rows are removed or not, no longer merely absent

Revision ID: 0002
Revises: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_OPEN = sa.text("state = 'open'")


def upgrade() -> None:
    op.create_table(
        "removal_holds",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("practice_id", sa.Uuid(), nullable=False),
        sa.Column("pms_connection_id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("sync_run_id", sa.Uuid(), nullable=False),
        sa.Column("last_run_id", sa.Uuid(), nullable=False),
        sa.Column("vanished", sa.Integer(), nullable=False),
        sa.Column("of_rows", sa.Integer(), nullable=False),
        sa.Column("candidates", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint(
            "state IN ('open', 'released', 'kept', 'cleared')", name=op.f("ck_removal_holds_state_known")
        ),
        sa.ForeignKeyConstraint(
            ["decided_by"], ["users.id"], name=op.f("fk_removal_holds_decided_by_users"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["pms_connection_id"],
            ["pms_connections.id"],
            name=op.f("fk_removal_holds_pms_connection_id_pms_connections"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["practice_id"], ["practices.id"], name=op.f("fk_removal_holds_practice_id_practices"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_removal_holds")),
    )
    op.create_index(
        "uq_removal_holds_open",
        "removal_holds",
        ["pms_connection_id", "day"],
        unique=True,
        sqlite_where=_OPEN,
        postgresql_where=_OPEN,
    )
    op.create_index(op.f("ix_removal_holds_practice_id"), "removal_holds", ["practice_id"])
    op.create_index(op.f("ix_removal_holds_last_run_id"), "removal_holds", ["last_run_id"])
    op.add_column("pms_connections", sa.Column("lookback_days", sa.Integer(), server_default="7", nullable=False))
    # Not in batch mode: that would build the table anew and lose its CHECKs. Rows that were absent are looked for
    # again by the next sync, and removed if they are gone.
    op.execute("ALTER TABLE run_sheet_appointments DROP COLUMN absent_since")


def downgrade() -> None:
    op.add_column("run_sheet_appointments", sa.Column("absent_since", sa.DateTime(timezone=True), nullable=True))
    op.execute("ALTER TABLE pms_connections DROP COLUMN lookback_days")
    op.drop_table("removal_holds")
