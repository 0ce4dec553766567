"""The sample peak; null in older rows."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("recordings", sa.Column("peak_dbfs", sa.Double))


def downgrade() -> None:
    op.drop_column("recordings", "peak_dbfs")
