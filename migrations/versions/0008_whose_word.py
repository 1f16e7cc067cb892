"""Which change of the PMS's status staff have decided about.

Revision ID: 0008
Revises: 0005
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("run_sheet_appointments", sa.Column("staff_decided_on", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column("run_sheet_appointments", "staff_decided_on")
