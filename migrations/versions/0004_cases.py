"""Cases beside appointments, their sealed consultations, and the words a practice maps.

Revision ID: 0004
Revises: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # With a default for the rows that are there: they are of a vendor without consultations.
    op.add_column("pms_connections", sa.Column("keeps_cases", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("pms_connections", sa.Column("parallel_batch_size", sa.Integer(), nullable=False, server_default="5"))
    op.create_table(
        "case_mappings",
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("word", sa.String(length=255), nullable=False),
        sa.Column("value", sa.String(length=20), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("pms_connection_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind IN ('status', 'type')", name=op.f("ck_case_mappings_kind_known")),
        sa.CheckConstraint(
            "value IN ('draft', 'ongoing', 'completed', 'reviewed', 'checkup', 'emergency', 'surgery', 'follow_up')",
            name=op.f("ck_case_mappings_value_known"),
        ),
        sa.ForeignKeyConstraint(
            ["pms_connection_id"],
            ["pms_connections.id"],
            name=op.f("fk_case_mappings_pms_connection_id_pms_connections"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_mappings")),
        sa.UniqueConstraint(
            "pms_connection_id", "kind", "word", name=op.f("uq_case_mappings_pms_connection_id_kind_word")
        ),
    )
    op.create_table(
        "cases",
        sa.Column("external_id", sa.String(length=255), nullable=False),
        sa.Column("appointment_id", sa.Uuid(), nullable=True),
        sa.Column("origin", sa.String(length=20), nullable=False),
        sa.Column("scheduled_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("patient_id", sa.String(length=255), nullable=True),
        sa.Column("patient_name", sa.String(length=500), nullable=False),
        sa.Column("species", sa.String(length=120), nullable=True),
        sa.Column("breed", sa.String(length=120), nullable=True),
        sa.Column("client_id", sa.String(length=255), nullable=True),
        sa.Column("client_name", sa.String(length=500), nullable=True),
        sa.Column("client_phone", sa.String(length=40), nullable=True),
        sa.Column("client_email", sa.String(length=255), nullable=True),
        sa.Column("provider_id", sa.String(length=255), nullable=True),
        sa.Column("provider", sa.String(length=255), nullable=True),
        sa.Column("room", sa.String(length=120), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("type_name", sa.String(length=255), nullable=True),
        sa.Column("raw_status", sa.String(length=120), nullable=True),
        sa.Column("pms_status", sa.String(length=20), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("case_type", sa.String(length=20), nullable=False),
        sa.Column("consultation_ref", sa.String(length=255), nullable=True),
        sa.Column("fingerprint", sa.LargeBinary(length=16), nullable=True),
        sa.Column("created_run_id", sa.Uuid(), nullable=True),
        sa.Column("consultation_id", sa.String(length=255), nullable=True),
        sa.Column("consultation_status", sa.String(length=120), nullable=True),
        sa.Column("consultation_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("consultation_inferred", sa.Boolean(), nullable=False),
        sa.Column("enrichment_state", sa.String(length=20), nullable=False),
        sa.Column("enrichment_reason", sa.String(length=40), nullable=True),
        sa.Column("enriched_as", sa.LargeBinary(length=16), nullable=True),
        sa.Column("enriched_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("staff_status", sa.String(length=20), nullable=True),
        sa.Column("staff_case_type", sa.String(length=20), nullable=True),
        sa.Column("visibility", sa.String(length=20), nullable=False),
        sa.Column("edited_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("edited_by", sa.Uuid(), nullable=True),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("delete_reason", sa.String(length=40), nullable=True),
        sa.Column("deleted_by_run", sa.Uuid(), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("practice_id", sa.Uuid(), nullable=False),
        sa.Column("pms_connection_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "case_type IN ('checkup', 'emergency', 'surgery', 'follow_up')", name=op.f("ck_cases_case_type_known")
        ),
        sa.CheckConstraint(
            "enrichment_state IN ('pending', 'enriched', 'open', 'none_yet', 'not_found', 'failed')",
            name=op.f("ck_cases_enrichment_state_known"),
        ),
        sa.CheckConstraint("origin IN ('sync', 'quick')", name=op.f("ck_cases_origin_known")),
        sa.CheckConstraint(
            "pms_status IN ('booked', 'confirmed', 'arrived', 'in_progress', 'completed', 'cancelled', 'no_show', 'unknown')",
            name=op.f("ck_cases_pms_status_known"),
        ),
        sa.CheckConstraint(
            "staff_case_type IN ('checkup', 'emergency', 'surgery', 'follow_up')",
            name=op.f("ck_cases_staff_case_type_known"),
        ),
        sa.CheckConstraint(
            "staff_status IN ('draft', 'ongoing', 'completed', 'reviewed')", name=op.f("ck_cases_staff_status_known")
        ),
        sa.CheckConstraint(
            "status IN ('draft', 'ongoing', 'completed', 'reviewed')", name=op.f("ck_cases_status_known")
        ),
        sa.CheckConstraint("visibility IN ('private', 'public')", name=op.f("ck_cases_visibility_known")),
        sa.ForeignKeyConstraint(
            ["appointment_id"],
            ["run_sheet_appointments.id"],
            name=op.f("fk_cases_appointment_id_run_sheet_appointments"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["edited_by"], ["users.id"], name=op.f("fk_cases_edited_by_users"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["pms_connection_id"],
            ["pms_connections.id"],
            name=op.f("fk_cases_pms_connection_id_pms_connections"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["practice_id"], ["practices.id"], name=op.f("fk_cases_practice_id_practices"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cases")),
        sa.UniqueConstraint(
            "practice_id",
            "pms_connection_id",
            "external_id",
            name=op.f("uq_cases_practice_id_pms_connection_id_external_id"),
        ),
    )
    op.create_index(op.f("ix_cases_appointment_id"), "cases", ["appointment_id"], unique=False)
    op.create_index(
        op.f("ix_cases_pms_connection_id_scheduled_at"), "cases", ["pms_connection_id", "scheduled_at"], unique=False
    )
    op.create_index(op.f("ix_cases_practice_id"), "cases", ["practice_id"], unique=False)

    op.create_table(
        "case_consultations",
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("written_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sync_run_id", sa.Uuid(), nullable=True),
        sa.Column("practice_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["case_id"], ["cases.id"], name=op.f("fk_case_consultations_case_id_cases"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["practice_id"],
            ["practices.id"],
            name=op.f("fk_case_consultations_practice_id_practices"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("case_id", name=op.f("pk_case_consultations")),
    )
    op.create_index(op.f("ix_case_consultations_practice_id"), "case_consultations", ["practice_id"], unique=False)


def downgrade() -> None:
    op.drop_table("case_consultations")
    op.drop_table("cases")
    op.drop_table("case_mappings")
    op.drop_column("pms_connections", "parallel_batch_size")
    op.drop_column("pms_connections", "keeps_cases")
