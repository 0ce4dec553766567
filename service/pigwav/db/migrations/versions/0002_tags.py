"""Tags of the WAV."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("recordings", sa.Column("tags", JSONB))
    op.create_check_constraint(
        op.f("recordings_tags_are_an_object_check"), "recordings", "jsonb_typeof(tags) = 'object'"
    )


def downgrade() -> None:
    op.drop_column("recordings", "tags")
