"""Records set aside: one row each, how they were resolved, when they are tried again; limits on what is kept.

Revision ID: 0009
Revises: 0008
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

#: Filled in for what is there already: it was set aside by an earlier release, and is tried again.
_AT = ("payload_at", "opened_at")


def upgrade() -> None:
    with op.batch_alter_table("run_sheets") as batch_op:
        batch_op.add_column(sa.Column("details_wiped_version", sa.Integer(), nullable=True))

    with op.batch_alter_table("quarantined_records") as batch_op:
        batch_op.add_column(sa.Column("kind", sa.String(length=20), nullable=False, server_default="appointment"))
        batch_op.add_column(sa.Column("read_by", sa.String(length=20), nullable=False, server_default=""))
        for name in (*_AT, "asked_again_at", "tried_at"):
            batch_op.add_column(sa.Column(name, sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("resolution", sa.String(length=20), nullable=True))
        batch_op.add_column(sa.Column("resolved_by", sa.Uuid(), nullable=True))
        batch_op.add_column(sa.Column("resolved_because", sa.String(length=300), nullable=True))

    op.execute("UPDATE quarantined_records SET payload_at = first_seen_at, opened_at = first_seen_at")
    op.execute("UPDATE quarantined_records SET resolution = 'read' WHERE resolved_at IS NOT NULL")

    with op.batch_alter_table("quarantined_records") as batch_op:
        batch_op.alter_column("kind", existing_type=sa.String(length=20), server_default=None)
        batch_op.alter_column("read_by", existing_type=sa.String(length=20), server_default=None)
        for name in _AT:
            batch_op.alter_column(name, existing_type=sa.DateTime(timezone=True), nullable=False)
        batch_op.alter_column("payload", existing_type=sa.Text(), nullable=True)
        batch_op.create_foreign_key(
            op.f("fk_quarantined_records_resolved_by_users"), "users", ["resolved_by"], ["id"], ondelete="SET NULL"
        )
        batch_op.create_check_constraint(
            op.f("ck_quarantined_records_kind_known"), "kind IN ('appointment', 'client', 'consultation')"
        )
        batch_op.create_check_constraint(
            op.f("ck_quarantined_records_resolution_known"), "resolution IN ('read', 'ignored', 'gone')"
        )
        batch_op.create_index(
            op.f("ix_quarantined_records_pms_connection_id_external_id"), ["pms_connection_id", "external_id"]
        )


def downgrade() -> None:
    # What was wiped cannot be brought back, and the earlier release cannot hold a record without its payload.
    op.execute("DELETE FROM quarantined_records WHERE payload IS NULL")
    with op.batch_alter_table("quarantined_records") as batch_op:
        batch_op.drop_index(op.f("ix_quarantined_records_pms_connection_id_external_id"))
        batch_op.drop_constraint(op.f("ck_quarantined_records_resolution_known"), type_="check")
        batch_op.drop_constraint(op.f("ck_quarantined_records_kind_known"), type_="check")
        batch_op.drop_constraint(op.f("fk_quarantined_records_resolved_by_users"), type_="foreignkey")
        batch_op.alter_column("payload", existing_type=sa.Text(), nullable=False)
        for name in ("resolved_because", "resolved_by", "resolution", "tried_at", "asked_again_at", *_AT):
            batch_op.drop_column(name)
        batch_op.drop_column("read_by")
        batch_op.drop_column("kind")
    with op.batch_alter_table("run_sheets") as batch_op:
        batch_op.drop_column("details_wiped_version")
