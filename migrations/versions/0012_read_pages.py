"""Pages of a PMS that were read and written before, so that one that is met again need not be read again.

Revision ID: 0012
Revises: 0011
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "pms_read_pages",
        sa.Column("pms_connection_id", sa.Uuid(), nullable=False),
        sa.Column("chain", sa.LargeBinary(length=16), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=16), nullable=False),
        sa.Column("stamp", sa.LargeBinary(length=16), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("shown", sa.Integer(), nullable=False),
        sa.Column("versions", sa.Integer(), nullable=False),
        sa.Column("verdicts", sa.LargeBinary(), nullable=False),
        sa.Column("practice_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["pms_connection_id"],
            ["pms_connections.id"],
            name=op.f("fk_pms_read_pages_pms_connection_id_pms_connections"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["practice_id"], ["practices.id"], name=op.f("fk_pms_read_pages_practice_id_practices"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("pms_connection_id", "chain", "digest", name=op.f("pk_pms_read_pages")),
    )
    with op.batch_alter_table("pms_read_pages") as batch_op:
        batch_op.create_index(batch_op.f("ix_pms_read_pages_practice_id"), ["practice_id"], unique=False)


def downgrade() -> None:
    op.drop_table("pms_read_pages")
