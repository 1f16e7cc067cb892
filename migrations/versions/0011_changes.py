"""How far changes were read between two whole readings, and whether a vendor hid one; a start nobody can be sure of.

Revision ID: 0011
Revises: 0010
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("pms_sweeps", sa.Column("changes_to", sa.DateTime(timezone=True), nullable=True))
    op.add_column("pms_connections", sa.Column("drifted_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("run_sheet_appointments", sa.Column("time_doubt", sa.String(length=10), nullable=True))
    op.execute("DELETE FROM sync_schedule WHERE kind = 'near'")  # the next tick plans them anew, as each system can


def downgrade() -> None:
    op.drop_column("run_sheet_appointments", "time_doubt")
    op.drop_column("pms_connections", "drifted_at")
    op.drop_column("pms_sweeps", "changes_to")
