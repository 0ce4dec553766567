"""Idempotency keys; `scrubbed_at`, when an object was last read back; an index for the oldest recordings."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "idempotency_keys",
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("recording_id", sa.Uuid(), nullable=False),
        sa.Column("acknowledged", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "key", name="idempotency_keys_pkey"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="idempotency_keys_user_id_fkey", ondelete="CASCADE"
        ),
        sa.CheckConstraint(
            "octet_length(fingerprint) = 32", name=op.f("idempotency_keys_fingerprint_is_sha256_check")
        ),
    )
    op.create_index("idempotency_keys_created_at_idx", "idempotency_keys", ["created_at"])
    op.add_column("recordings", sa.Column("scrubbed_at", sa.DateTime(timezone=True), nullable=True))
    ready = sa.text("state = 'ready'")
    op.create_index("recordings_oldest_idx", "recordings", ["ready_at"], postgresql_where=ready)
    op.create_index(
        "recordings_scrub_idx",
        "recordings",
        [sa.text("scrubbed_at NULLS FIRST"), "id"],
        postgresql_where=ready,
    )


def downgrade() -> None:
    op.drop_index("recordings_scrub_idx", "recordings")
    op.drop_index("recordings_oldest_idx", "recordings")
    op.drop_column("recordings", "scrubbed_at")
    op.drop_table("idempotency_keys")
