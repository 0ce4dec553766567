"""Warnings about the WAV; null in older rows."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("recordings", sa.Column("warnings", JSONB))
    op.create_check_constraint(
        op.f("recordings_warnings_are_an_array_check"), "recordings", "jsonb_typeof(warnings) = 'array'"
    )


def downgrade() -> None:
    op.drop_column("recordings", "warnings")
