"""Alembic's environment: a migration runs inside the transaction that `inkling.registry.database` opened."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
