"""Levels of the audio, and waveforms; older recordings have neither."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("recordings", sa.Column("levels", JSONB))
    op.create_check_constraint(
        op.f("recordings_levels_are_an_object_check"), "recordings", "jsonb_typeof(levels) = 'object'"
    )
    op.create_table(
        "waveforms",
        sa.Column("recording_id", sa.Uuid, nullable=False),
        sa.Column("dat", sa.LargeBinary, nullable=False),
        sa.Column("overview", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("recording_id", name=op.f("waveforms_pkey")),
        sa.ForeignKeyConstraint(
            ["recording_id"],
            ["recordings.id"],
            name=op.f("waveforms_recording_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.CheckConstraint("octet_length(overview) <= 96", name=op.f("waveforms_overview_short_check")),
    )


def downgrade() -> None:
    op.drop_table("waveforms")
    op.drop_column("recordings", "levels")
