"""What a person typed to connect a practice, sealed.

Revision ID: 0003
Revises: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "pms_credentials",
        sa.Column("pms_connection_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("tail", sa.String(length=4), nullable=True),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_by", sa.Uuid(), nullable=True),
        sa.Column("practice_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["changed_by"], ["users.id"], name=op.f("fk_pms_credentials_changed_by_users"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["pms_connection_id"],
            ["pms_connections.id"],
            name=op.f("fk_pms_credentials_pms_connection_id_pms_connections"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["practice_id"], ["practices.id"], name=op.f("fk_pms_credentials_practice_id_practices"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("pms_connection_id", "name", name=op.f("pk_pms_credentials")),
    )
    with op.batch_alter_table("pms_credentials", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_pms_credentials_practice_id"), ["practice_id"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("pms_credentials", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_pms_credentials_practice_id"))

    op.drop_table("pms_credentials")
