"""Run by Alembic; the connection comes from `pigwav.db.migrate`."""

from alembic import context

from pigwav.db.models import Row

context.configure(connection=context.config.attributes["connection"], target_metadata=Row.metadata)
with context.begin_transaction():
    context.run_migrations()
