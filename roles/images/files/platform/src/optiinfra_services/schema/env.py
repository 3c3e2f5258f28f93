"""Run by Alembic: migrations on the connection that ``upgrade_postgres`` has opened and locked."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], target_metadata=None)
with context.begin_transaction():
    context.run_migrations()
