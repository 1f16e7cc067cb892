"""The tables of the run sheet, its connections and its syncs.

Revision ID: 0001
Revises:
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "encryption_keys",
        sa.Column("key_id", sa.String(length=16), nullable=False),
        sa.Column("first_used_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key_id", name=op.f("pk_encryption_keys")),
    )
    op.create_table(
        "login_attempts",
        sa.Column("account_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("network", sa.String(length=64), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("last_failed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("blocked_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_login_attempts")),
        sa.UniqueConstraint("account_hash", "network", name=op.f("uq_login_attempts_account_hash_network")),
    )
    op.create_table(
        "pms_app_tokens",
        sa.Column("pms_type", sa.String(length=50), nullable=False),
        sa.Column("environment", sa.String(length=20), nullable=False),
        sa.Column("client_hash", sa.String(length=64), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("access_token", sa.Text(), nullable=True),
        sa.Column("refresh_token", sa.Text(), nullable=True),
        sa.Column("token_issued_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("token_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("token_claim", sa.String(length=36), nullable=True),
        sa.Column("token_claimed_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("login_failures", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pms_app_tokens")),
        sa.UniqueConstraint(
            "pms_type", "environment", "client_hash", name=op.f("uq_pms_app_tokens_pms_type_environment_client_hash")
        ),
    )
    op.create_table(
        "practices",
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("timezone", sa.String(length=64), nullable=False),
        sa.Column("region", sa.String(length=2), nullable=False),
        sa.Column("is_demo", sa.Boolean(), nullable=False),
        sa.Column("settings", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_practices")),
    )
    op.create_table(
        "users",
        sa.Column("email", sa.String(length=255), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("password_hash", sa.String(length=255), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("email", name=op.f("uq_users_email")),
    )
    op.create_table(
        "pms_connections",
        sa.Column("pms_type", sa.String(length=50), nullable=False),
        sa.Column("display_name", sa.String(length=255), nullable=False),
        sa.Column("environment", sa.String(length=20), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("state_reason", sa.String(length=40), nullable=True),
        sa.Column("tenant_id", sa.String(length=255), nullable=True),
        sa.Column("pms_practice_id", sa.String(length=255), nullable=True),
        sa.Column("organization_id", sa.String(length=255), nullable=True),
        sa.Column("pms_name", sa.String(length=255), nullable=True),
        sa.Column("timezone", sa.String(length=64), nullable=True),
        sa.Column("sync_frequency_minutes", sa.Integer(), nullable=False),
        sa.Column("sync_telehealth_only", sa.Boolean(), nullable=False),
        sa.Column("last_sync_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_sync_status", sa.String(length=20), nullable=True),
        sa.Column("last_sync_error", sa.String(length=40), nullable=True),
        sa.Column("last_good_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("choices", sa.Integer(), nullable=False),
        sa.Column("wizard", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("practice_id", sa.Uuid(), nullable=False),
        sa.Column("access_token", sa.Text(), nullable=True),
        sa.Column("refresh_token", sa.Text(), nullable=True),
        sa.Column("token_issued_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("token_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("token_claim", sa.String(length=36), nullable=True),
        sa.Column("token_claimed_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("login_failures", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "environment IN ('live', 'vendor_sandbox', 'simulator')", name=op.f("ck_pms_connections_environment_known")
        ),
        sa.CheckConstraint(
            "state IN ('draft', 'active', 'paused', 'needs_attention', 'disconnected')",
            name=op.f("ck_pms_connections_state_known"),
        ),
        sa.ForeignKeyConstraint(
            ["practice_id"], ["practices.id"], name=op.f("fk_pms_connections_practice_id_practices"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pms_connections")),
    )
    with op.batch_alter_table("pms_connections", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_pms_connections_practice_id"), ["practice_id"], unique=False)
        batch_op.create_index(
            "uq_pms_connections_tenant",
            ["pms_type", "environment", "tenant_id"],
            unique=True,
            postgresql_where=sa.text("tenant_id IS NOT NULL AND state <> 'disconnected'"),
            sqlite_where=sa.text("tenant_id IS NOT NULL AND state <> 'disconnected'"),
        )

    op.create_table(
        "run_sheet_clinicians",
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("room", sa.String(length=120), nullable=True),
        sa.Column("room_link", sa.String(length=500), nullable=True),
        sa.Column("location", sa.String(length=120), nullable=True),
        sa.Column("email", sa.String(length=255), nullable=True),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("practice_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["practice_id"],
            ["practices.id"],
            name=op.f("fk_run_sheet_clinicians_practice_id_practices"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_run_sheet_clinicians_user_id_users"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run_sheet_clinicians")),
        sa.UniqueConstraint("practice_id", "name", name=op.f("uq_run_sheet_clinicians_practice_id_name")),
    )
    with op.batch_alter_table("run_sheet_clinicians", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_run_sheet_clinicians_practice_id"), ["practice_id"], unique=False)

    op.create_table(
        "run_sheets",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("practice_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["practice_id"], ["practices.id"], name=op.f("fk_run_sheets_practice_id_practices"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run_sheets")),
        sa.UniqueConstraint("practice_id", "day", name=op.f("uq_run_sheets_practice_id_day")),
    )
    with op.batch_alter_table("run_sheets", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_run_sheets_practice_id"), ["practice_id"], unique=False)

    op.create_table(
        "user_preferences",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("value", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("practice_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["practice_id"],
            ["practices.id"],
            name=op.f("fk_user_preferences_practice_id_practices"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_user_preferences_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user_preferences")),
        sa.UniqueConstraint(
            "user_id", "practice_id", "name", name=op.f("uq_user_preferences_user_id_practice_id_name")
        ),
    )
    with op.batch_alter_table("user_preferences", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_user_preferences_practice_id"), ["practice_id"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_user_preferences_user_id_practice_id"), ["user_id", "practice_id"], unique=False
        )

    op.create_table(
        "user_sessions",
        sa.Column("token_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("practice_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["practice_id"], ["practices.id"], name=op.f("fk_user_sessions_practice_id_practices"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_user_sessions_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user_sessions")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_user_sessions_token_hash")),
    )
    with op.batch_alter_table("user_sessions", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_user_sessions_user_id"), ["user_id"], unique=False)

    op.create_table(
        "memberships",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("clinician_id", sa.Uuid(), nullable=True),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("practice_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "role IN ('receptionist', 'clinician', 'admin', 'owner')", name=op.f("ck_memberships_role_known")
        ),
        sa.ForeignKeyConstraint(
            ["clinician_id"],
            ["run_sheet_clinicians.id"],
            name=op.f("fk_memberships_clinician_id_run_sheet_clinicians"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["practice_id"], ["practices.id"], name=op.f("fk_memberships_practice_id_practices"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_memberships_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_memberships")),
        sa.UniqueConstraint("user_id", "practice_id", name=op.f("uq_memberships_user_id_practice_id")),
    )
    with op.batch_alter_table("memberships", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_memberships_practice_id"), ["practice_id"], unique=False)

    op.create_table(
        "pms_appointment_types",
        sa.Column("pms_type_id", sa.String(length=255), nullable=False),
        sa.Column("pms_type_name", sa.String(length=255), nullable=False),
        sa.Column("default_duration_minutes", sa.Integer(), nullable=True),
        sa.Column("colour", sa.String(length=20), nullable=True),
        sa.Column("is_telehealth", sa.Boolean(), nullable=False),
        sa.Column("sync_enabled", sa.Boolean(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("pms_connection_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["pms_connection_id"],
            ["pms_connections.id"],
            name=op.f("fk_pms_appointment_types_pms_connection_id_pms_connections"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pms_appointment_types")),
        sa.UniqueConstraint(
            "pms_connection_id", "pms_type_id", name=op.f("uq_pms_appointment_types_pms_connection_id_pms_type_id")
        ),
    )
    op.create_table(
        "pms_clinician_mappings",
        sa.Column("pms_practitioner_id", sa.String(length=255), nullable=False),
        sa.Column("pms_practitioner_name", sa.String(length=255), nullable=False),
        sa.Column("pms_email", sa.String(length=255), nullable=True),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("shown_in_book", sa.Boolean(), nullable=False),
        sa.Column("run_sheet_clinician_id", sa.Uuid(), nullable=True),
        sa.Column("sync_enabled", sa.Boolean(), nullable=False),
        sa.Column("auto_created", sa.Boolean(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("pms_connection_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["pms_connection_id"],
            ["pms_connections.id"],
            name=op.f("fk_pms_clinician_mappings_pms_connection_id_pms_connections"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["run_sheet_clinician_id"],
            ["run_sheet_clinicians.id"],
            name=op.f("fk_pms_clinician_mappings_run_sheet_clinician_id_run_sheet_clinicians"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pms_clinician_mappings")),
        sa.UniqueConstraint(
            "pms_connection_id",
            "pms_practitioner_id",
            name=op.f("uq_pms_clinician_mappings_pms_connection_id_pms_practitioner_id"),
        ),
    )
    with op.batch_alter_table("pms_clinician_mappings", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_pms_clinician_mappings_run_sheet_clinician_id"), ["run_sheet_clinician_id"], unique=False
        )

    op.create_table(
        "pms_statuses",
        sa.Column("raw_status", sa.String(length=120), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=True),
        sa.Column("seen", sa.Integer(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("pms_connection_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "status IN ('booked', 'confirmed', 'arrived', 'in_progress', 'completed', 'cancelled', 'no_show', 'unknown')",
            name=op.f("ck_pms_statuses_status_known"),
        ),
        sa.ForeignKeyConstraint(
            ["pms_connection_id"],
            ["pms_connections.id"],
            name=op.f("fk_pms_statuses_pms_connection_id_pms_connections"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pms_statuses")),
        sa.UniqueConstraint(
            "pms_connection_id", "raw_status", name=op.f("uq_pms_statuses_pms_connection_id_raw_status")
        ),
    )
    op.create_table(
        "pms_sweeps",
        sa.Column("pms_connection_id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("practitioner_id", sa.String(length=255), nullable=False),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sync_run_id", sa.Uuid(), nullable=False),
        sa.Column("received", sa.Integer(), nullable=False),
        sa.Column("skipped", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("practice_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["pms_connection_id"],
            ["pms_connections.id"],
            name=op.f("fk_pms_sweeps_pms_connection_id_pms_connections"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["practice_id"], ["practices.id"], name=op.f("fk_pms_sweeps_practice_id_practices"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("pms_connection_id", "day", "practitioner_id", name=op.f("pk_pms_sweeps")),
    )
    with op.batch_alter_table("pms_sweeps", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_pms_sweeps_practice_id"), ["practice_id"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_pms_sweeps_practice_id_day_completed_at"),
            ["practice_id", "day", "completed_at"],
            unique=False,
        )

    op.create_table(
        "pms_sync_log",
        sa.Column("sync_type", sa.String(length=20), nullable=False),
        sa.Column("trigger", sa.String(length=20), nullable=False),
        sa.Column("requested_by", sa.Uuid(), nullable=True),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("slot_utc", sa.DateTime(timezone=True), nullable=True),
        sa.Column("phases", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("window_from", sa.Date(), nullable=False),
        sa.Column("window_to", sa.Date(), nullable=False),
        sa.Column("full", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("retry_of", sa.Uuid(), nullable=True),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=True),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("heartbeat_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("checkpoint", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=True),
        sa.Column("progress", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=True),
        sa.Column("host", sa.String(length=255), nullable=True),
        sa.Column("pid", sa.Integer(), nullable=True),
        sa.Column("appointments_fetched", sa.Integer(), nullable=False),
        sa.Column("appointments_created", sa.Integer(), nullable=False),
        sa.Column("appointments_updated", sa.Integer(), nullable=False),
        sa.Column("appointments_unchanged", sa.Integer(), nullable=False),
        sa.Column("appointments_skipped", sa.Integer(), nullable=False),
        sa.Column("appointments_removed", sa.Integer(), nullable=False),
        sa.Column("appointments_quarantined", sa.Integer(), nullable=False),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("error_details", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("practice_id", sa.Uuid(), nullable=False),
        sa.Column("pms_connection_id", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "state IN ('queued', 'running', 'success', 'partial', 'deferred', 'failed', 'abandoned', 'cancelled')",
            name=op.f("ck_pms_sync_log_state_known"),
        ),
        sa.CheckConstraint(
            "sync_type IN ('full', 'incremental', 'manual')", name=op.f("ck_pms_sync_log_sync_type_known")
        ),
        sa.CheckConstraint(
            "trigger IN ('manual', 'choice', 'schedule', 'command', 'pairing', 'retry')",
            name=op.f("ck_pms_sync_log_trigger_known"),
        ),
        sa.ForeignKeyConstraint(
            ["pms_connection_id"],
            ["pms_connections.id"],
            name=op.f("fk_pms_sync_log_pms_connection_id_pms_connections"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["practice_id"], ["practices.id"], name=op.f("fk_pms_sync_log_practice_id_practices"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["requested_by"], ["users.id"], name=op.f("fk_pms_sync_log_requested_by_users"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pms_sync_log")),
        sa.UniqueConstraint("pms_connection_id", "slot_utc", name=op.f("uq_pms_sync_log_pms_connection_id_slot_utc")),
    )
    with op.batch_alter_table("pms_sync_log", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_pms_sync_log_pms_connection_id_requested_at"),
            ["pms_connection_id", "requested_at"],
            unique=False,
        )
        batch_op.create_index(batch_op.f("ix_pms_sync_log_practice_id"), ["practice_id"], unique=False)
        batch_op.create_index(
            "uq_pms_sync_log_queued",
            ["pms_connection_id"],
            unique=True,
            postgresql_where=sa.text("state = 'queued'"),
            sqlite_where=sa.text("state = 'queued'"),
        )
        batch_op.create_index(
            "uq_pms_sync_log_running",
            ["pms_connection_id"],
            unique=True,
            postgresql_where=sa.text("state = 'running'"),
            sqlite_where=sa.text("state = 'running'"),
        )

    op.create_table(
        "quarantined_records",
        sa.Column("external_id", sa.String(length=255), nullable=True),
        sa.Column("path", sa.String(length=255), nullable=False),
        sa.Column("reason", sa.String(length=255), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("payload_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("first_run_id", sa.Uuid(), nullable=False),
        sa.Column("last_run_id", sa.Uuid(), nullable=False),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen", sa.Integer(), nullable=False),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("practice_id", sa.Uuid(), nullable=False),
        sa.Column("pms_connection_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["pms_connection_id"],
            ["pms_connections.id"],
            name=op.f("fk_quarantined_records_pms_connection_id_pms_connections"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["practice_id"],
            ["practices.id"],
            name=op.f("fk_quarantined_records_practice_id_practices"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quarantined_records")),
        sa.UniqueConstraint(
            "pms_connection_id", "payload_hash", name=op.f("uq_quarantined_records_pms_connection_id_payload_hash")
        ),
    )
    with op.batch_alter_table("quarantined_records", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_quarantined_records_practice_id"), ["practice_id"], unique=False)

    op.create_table(
        "run_sheet_appointments",
        sa.Column("run_sheet_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.Column("pms_connection_id", sa.Uuid(), nullable=True),
        sa.Column("pms_appointment_id", sa.String(length=255), nullable=True),
        sa.Column("pms_patient_id", sa.String(length=255), nullable=True),
        sa.Column("pms_practitioner_id", sa.String(length=255), nullable=True),
        sa.Column("pms_practitioner_name", sa.String(length=255), nullable=True),
        sa.Column("pms_type_id", sa.String(length=255), nullable=True),
        sa.Column("pms_type_name", sa.String(length=255), nullable=True),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("appointment_duration_minutes", sa.Integer(), nullable=True),
        sa.Column("pms_status", sa.String(length=20), nullable=True),
        sa.Column("pms_status_raw", sa.String(length=120), nullable=True),
        sa.Column("pms_status_changed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("pms_arrived_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("pms_cancelled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("pms_arrived_seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("pms_started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("pms_ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("pms_comment", sa.Text(), nullable=True),
        sa.Column("is_telehealth", sa.Boolean(), nullable=False),
        sa.Column("telehealth_url", sa.String(length=1000), nullable=True),
        sa.Column("location", sa.String(length=255), nullable=True),
        sa.Column("patient_name", sa.String(length=500), nullable=False),
        sa.Column("patient_phone", sa.String(length=40), nullable=True),
        sa.Column("patient_email", sa.String(length=255), nullable=True),
        sa.Column("patient_dob", sa.Date(), nullable=True),
        sa.Column("patients", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=True),
        sa.Column("fingerprint", sa.LargeBinary(length=16), nullable=True),
        sa.Column("created_run_id", sa.Uuid(), nullable=True),
        sa.Column("pms_last_synced_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("clinician_id", sa.Uuid(), nullable=True),
        sa.Column("staff_status", sa.String(length=20), nullable=True),
        sa.Column("staff_status_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("staff_status_by", sa.Uuid(), nullable=True),
        sa.Column("staff_arrived_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("staff_started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("staff_ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("staff_note", sa.Text(), nullable=True),
        sa.Column("staff_note_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("staff_note_by", sa.Uuid(), nullable=True),
        sa.Column("hidden_cause", sa.String(length=20), nullable=True),
        sa.Column("hidden_by_run", sa.Uuid(), nullable=True),
        sa.Column("absent_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("removed_cause", sa.String(length=40), nullable=True),
        sa.Column("removed_by_run", sa.Uuid(), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("practice_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "kind IN ('appointment', 'walk_in', 'block')", name=op.f("ck_run_sheet_appointments_kind_known")
        ),
        sa.CheckConstraint(
            "pms_status IN ('booked', 'confirmed', 'arrived', 'in_progress', 'completed', 'cancelled', 'no_show', 'unknown')",
            name=op.f("ck_run_sheet_appointments_pms_status_known"),
        ),
        sa.CheckConstraint(
            "staff_status IN ('booked', 'confirmed', 'arrived', 'in_progress', 'completed', 'cancelled', 'no_show')",
            name=op.f("ck_run_sheet_appointments_staff_status_known"),
        ),
        sa.ForeignKeyConstraint(
            ["clinician_id"],
            ["run_sheet_clinicians.id"],
            name=op.f("fk_run_sheet_appointments_clinician_id_run_sheet_clinicians"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["pms_connection_id"],
            ["pms_connections.id"],
            name=op.f("fk_run_sheet_appointments_pms_connection_id_pms_connections"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["practice_id"],
            ["practices.id"],
            name=op.f("fk_run_sheet_appointments_practice_id_practices"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["run_sheet_id"],
            ["run_sheets.id"],
            name=op.f("fk_run_sheet_appointments_run_sheet_id_run_sheets"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["staff_note_by"],
            ["users.id"],
            name=op.f("fk_run_sheet_appointments_staff_note_by_users"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["staff_status_by"],
            ["users.id"],
            name=op.f("fk_run_sheet_appointments_staff_status_by_users"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run_sheet_appointments")),
    )
    with op.batch_alter_table("run_sheet_appointments", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_run_sheet_appointments_pms_connection_id_pms_practitioner_id_starts_at"),
            ["pms_connection_id", "pms_practitioner_id", "starts_at"],
            unique=False,
        )
        batch_op.create_index(batch_op.f("ix_run_sheet_appointments_practice_id"), ["practice_id"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_run_sheet_appointments_run_sheet_id_starts_at"), ["run_sheet_id", "starts_at"], unique=False
        )
        batch_op.create_index(
            "uq_run_sheet_appointments_pms_id",
            ["pms_connection_id", "pms_appointment_id"],
            unique=True,
            postgresql_where=sa.text("pms_appointment_id IS NOT NULL"),
            sqlite_where=sa.text("pms_appointment_id IS NOT NULL"),
        )

    op.create_table(
        "sync_schedule",
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("interval_minutes", sa.Integer(), nullable=True),
        sa.Column("cron", sa.String(length=120), nullable=True),
        sa.Column("phases", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=True),
        sa.Column("days_before", sa.Integer(), nullable=False),
        sa.Column("days_after", sa.Integer(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("next_due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("missed_slots", sa.Integer(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("practice_id", sa.Uuid(), nullable=False),
        sa.Column("pms_connection_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["pms_connection_id"],
            ["pms_connections.id"],
            name=op.f("fk_sync_schedule_pms_connection_id_pms_connections"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["practice_id"], ["practices.id"], name=op.f("fk_sync_schedule_practice_id_practices"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sync_schedule")),
        sa.UniqueConstraint("pms_connection_id", "kind", name=op.f("uq_sync_schedule_pms_connection_id_kind")),
    )
    with op.batch_alter_table("sync_schedule", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_sync_schedule_enabled_next_due_at"), ["enabled", "next_due_at"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_sync_schedule_practice_id"), ["practice_id"], unique=False)

    op.create_table(
        "appointment_events",
        sa.Column("appointment_id", sa.Uuid(), nullable=False),
        sa.Column("run_sheet_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("changes", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("sync_run_id", sa.Uuid(), nullable=True),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("undoes", sa.Uuid(), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("practice_id", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('pms', 'status', 'note', 'walk_in', 'undo', 'rules')",
            name=op.f("ck_appointment_events_kind_known"),
        ),
        sa.ForeignKeyConstraint(
            ["appointment_id"],
            ["run_sheet_appointments.id"],
            name=op.f("fk_appointment_events_appointment_id_run_sheet_appointments"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["practice_id"],
            ["practices.id"],
            name=op.f("fk_appointment_events_practice_id_practices"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["run_sheet_id"],
            ["run_sheets.id"],
            name=op.f("fk_appointment_events_run_sheet_id_run_sheets"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_appointment_events_user_id_users"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_appointment_events")),
    )
    with op.batch_alter_table("appointment_events", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_appointment_events_appointment_id_at"), ["appointment_id", "at"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_appointment_events_practice_id"), ["practice_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_appointment_events_sync_run_id"), ["sync_run_id"], unique=False)

    op.create_table(
        "pms_sync_phases",
        sa.Column("sync_run_id", sa.Uuid(), nullable=False),
        sa.Column("phase", sa.String(length=20), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("duration_ms", sa.Integer(), nullable=False),
        sa.Column("complete", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=True),
        sa.Column("fetched", sa.Integer(), nullable=False),
        sa.Column("created", sa.Integer(), nullable=False),
        sa.Column("updated", sa.Integer(), nullable=False),
        sa.Column("unchanged", sa.Integer(), nullable=False),
        sa.Column("removed", sa.Integer(), nullable=False),
        sa.Column("quarantined", sa.Integer(), nullable=False),
        sa.Column("skipped", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("details", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["sync_run_id"],
            ["pms_sync_log.id"],
            name=op.f("fk_pms_sync_phases_sync_run_id_pms_sync_log"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pms_sync_phases")),
        sa.UniqueConstraint("sync_run_id", "phase", name=op.f("uq_pms_sync_phases_sync_run_id_phase")),
    )


def downgrade() -> None:
    op.drop_table("pms_sync_phases")
    with op.batch_alter_table("appointment_events", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_appointment_events_sync_run_id"))
        batch_op.drop_index(batch_op.f("ix_appointment_events_practice_id"))
        batch_op.drop_index(batch_op.f("ix_appointment_events_appointment_id_at"))

    op.drop_table("appointment_events")
    with op.batch_alter_table("sync_schedule", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_sync_schedule_practice_id"))
        batch_op.drop_index(batch_op.f("ix_sync_schedule_enabled_next_due_at"))

    op.drop_table("sync_schedule")
    with op.batch_alter_table("run_sheet_appointments", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_run_sheet_appointments_pms_id",
            postgresql_where=sa.text("pms_appointment_id IS NOT NULL"),
            sqlite_where=sa.text("pms_appointment_id IS NOT NULL"),
        )
        batch_op.drop_index(batch_op.f("ix_run_sheet_appointments_run_sheet_id_starts_at"))
        batch_op.drop_index(batch_op.f("ix_run_sheet_appointments_practice_id"))
        batch_op.drop_index(batch_op.f("ix_run_sheet_appointments_pms_connection_id_pms_practitioner_id_starts_at"))

    op.drop_table("run_sheet_appointments")
    with op.batch_alter_table("quarantined_records", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_quarantined_records_practice_id"))

    op.drop_table("quarantined_records")
    with op.batch_alter_table("pms_sync_log", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_pms_sync_log_running",
            postgresql_where=sa.text("state = 'running'"),
            sqlite_where=sa.text("state = 'running'"),
        )
        batch_op.drop_index(
            "uq_pms_sync_log_queued",
            postgresql_where=sa.text("state = 'queued'"),
            sqlite_where=sa.text("state = 'queued'"),
        )
        batch_op.drop_index(batch_op.f("ix_pms_sync_log_practice_id"))
        batch_op.drop_index(batch_op.f("ix_pms_sync_log_pms_connection_id_requested_at"))

    op.drop_table("pms_sync_log")
    with op.batch_alter_table("pms_sweeps", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_pms_sweeps_practice_id_day_completed_at"))
        batch_op.drop_index(batch_op.f("ix_pms_sweeps_practice_id"))

    op.drop_table("pms_sweeps")
    op.drop_table("pms_statuses")
    with op.batch_alter_table("pms_clinician_mappings", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_pms_clinician_mappings_run_sheet_clinician_id"))

    op.drop_table("pms_clinician_mappings")
    op.drop_table("pms_appointment_types")
    with op.batch_alter_table("memberships", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_memberships_practice_id"))

    op.drop_table("memberships")
    with op.batch_alter_table("user_sessions", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_user_sessions_user_id"))

    op.drop_table("user_sessions")
    with op.batch_alter_table("user_preferences", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_user_preferences_user_id_practice_id"))
        batch_op.drop_index(batch_op.f("ix_user_preferences_practice_id"))

    op.drop_table("user_preferences")
    with op.batch_alter_table("run_sheets", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_run_sheets_practice_id"))

    op.drop_table("run_sheets")
    with op.batch_alter_table("run_sheet_clinicians", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_run_sheet_clinicians_practice_id"))

    op.drop_table("run_sheet_clinicians")
    with op.batch_alter_table("pms_connections", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_pms_connections_tenant",
            postgresql_where=sa.text("tenant_id IS NOT NULL AND state <> 'disconnected'"),
            sqlite_where=sa.text("tenant_id IS NOT NULL AND state <> 'disconnected'"),
        )
        batch_op.drop_index(batch_op.f("ix_pms_connections_practice_id"))

    op.drop_table("pms_connections")
    op.drop_table("users")
    op.drop_table("practices")
    op.drop_table("pms_app_tokens")
    op.drop_table("login_attempts")
    op.drop_table("encryption_keys")
