"""Users and recordings."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_FACTS = (
    "size_bytes, sha256, wav_size_bytes, wav_sha256, samples, duration_ms, truncated, sample_rate_hz, channels, "
    "bitrate_kbps, source_codec, source_sample_rate_hz, source_channels, source_bits"
)


def upgrade() -> None:
    op.create_table(
        "users",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("token_sha256", sa.LargeBinary, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="users_pkey"),
        sa.UniqueConstraint("name", name="users_name_key"),
        sa.UniqueConstraint("token_sha256", name="users_token_sha256_key"),
        sa.CheckConstraint("name <> ''", name=op.f("users_name_given_check")),
        sa.CheckConstraint("octet_length(token_sha256) = 32", name=op.f("users_token_is_sha256_check")),
    )
    op.create_table("recordings", *_recording_columns(), *_recording_constraints())
    op.create_index(
        "recordings_newest_idx",
        "recordings",
        ["user_id", "ready_at", "id"],
        postgresql_where="state = 'ready'",
    )
    op.create_index(
        "recordings_unfinished_idx",
        "recordings",
        ["state", "lease_until"],
        postgresql_where="state <> 'ready'",
    )
    op.create_index(
        "recordings_lease_id_idx", "recordings", ["lease_id"], postgresql_where="state = 'pending'"
    )


def downgrade() -> None:
    op.drop_table("recordings")
    op.drop_table("users")


def _recording_columns() -> list[sa.Column[object]]:
    moment = sa.DateTime(timezone=True)
    return [
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("user_id", sa.BigInteger),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("object_key", sa.Text(collation="C"), nullable=False),
        sa.Column("title", sa.Text),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("ready_at", moment),
        sa.Column("lease_id", sa.Uuid),
        sa.Column("lease_until", moment),
        sa.Column("upload_id", sa.Text),
        sa.Column("size_bytes", sa.BigInteger),
        sa.Column("sha256", sa.LargeBinary),
        sa.Column("wav_size_bytes", sa.BigInteger),
        sa.Column("wav_sha256", sa.LargeBinary),
        sa.Column("samples", sa.BigInteger),
        sa.Column("duration_ms", sa.BigInteger),
        sa.Column("declared_duration_ms", sa.BigInteger),
        sa.Column("truncated", sa.Boolean),
        sa.Column("sample_rate_hz", sa.BigInteger),
        sa.Column("channels", sa.BigInteger),
        sa.Column("bitrate_kbps", sa.BigInteger),
        sa.Column("source_codec", sa.Text),
        sa.Column("source_sample_rate_hz", sa.BigInteger),
        sa.Column("source_channels", sa.BigInteger),
        sa.Column("source_bits", sa.BigInteger),
    ]


def _recording_constraints() -> list[sa.Constraint]:
    def check(name: str, rule: str) -> sa.CheckConstraint:
        return sa.CheckConstraint(rule, name=op.f(f"recordings_{name}_check"))

    return [
        sa.PrimaryKeyConstraint("id", name="recordings_pkey"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="recordings_user_id_fkey"),
        sa.UniqueConstraint("object_key", name="recordings_object_key_key"),
        check("state_known", "state IN ('pending', 'ready', 'deleted')"),
        check("owned", "state = 'deleted' OR user_id IS NOT NULL"),
        check(
            "pending_is_leased", "state <> 'pending' OR (lease_id IS NOT NULL AND lease_until IS NOT NULL)"
        ),
        check(
            "ready_is_complete",
            f"state <> 'ready' OR (ready_at IS NOT NULL AND lease_id IS NULL AND num_nulls({_FACTS}) = 0)",
        ),
        check("size_positive", "size_bytes > 0"),
        check("checksums_are_sha256", "octet_length(sha256) = 32 AND octet_length(wav_sha256) = 32"),
    ]
