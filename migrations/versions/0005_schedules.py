"""A practice's opening hours and cron lines; why a schedule is off, and the local slot it came due for last.

Revision ID: 0005
Revises: 0004
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def _json() -> sa.types.TypeEngine[object]:
    return sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    op.create_table(
        "clinic_schedule_configs",
        sa.Column("practice_id", sa.Uuid(), nullable=False),
        sa.Column("business_hours", _json(), server_default="{}", nullable=True),
        sa.Column("slot_minutes", sa.Integer(), server_default="15", nullable=False),
        sa.Column("rooms", _json(), server_default="[]", nullable=True),
        sa.Column("providers", _json(), nullable=True),
        sa.Column("sync_schedules", _json(), server_default="[]", nullable=True),
        sa.Column("problems", _json(), server_default="[]", nullable=True),
        sa.Column("derived_from", sa.String(length=64), nullable=True),
        sa.Column("zone", sa.String(length=64), nullable=True),
        sa.CheckConstraint(
            "slot_minutes BETWEEN 5 AND 240", name=op.f("ck_clinic_schedule_configs_slot_minutes_sensible")
        ),
        sa.ForeignKeyConstraint(
            ["practice_id"],
            ["practices.id"],
            name=op.f("fk_clinic_schedule_configs_practice_id_practices"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("practice_id", name=op.f("pk_clinic_schedule_configs")),
    )
    # Each practice has its row, so that the documents' UPDATE finds one.
    op.execute("INSERT INTO clinic_schedule_configs (practice_id, zone) SELECT id, timezone FROM practices")
    with op.batch_alter_table("sync_schedule", schema=None) as batch_op:
        batch_op.alter_column(
            "kind", existing_type=sa.String(length=20), type_=sa.String(length=40), existing_nullable=False
        )
        batch_op.add_column(sa.Column("off_reason", sa.String(length=255), nullable=True))
        batch_op.add_column(sa.Column("last_local", sa.String(length=16), nullable=True))


def downgrade() -> None:
    op.execute("DELETE FROM sync_schedule WHERE kind NOT IN ('interval', 'nightly')")
    with op.batch_alter_table("sync_schedule", schema=None) as batch_op:
        batch_op.drop_column("last_local")
        batch_op.drop_column("off_reason")
        batch_op.alter_column(
            "kind", existing_type=sa.String(length=40), type_=sa.String(length=20), existing_nullable=False
        )
    op.drop_table("clinic_schedule_configs")
