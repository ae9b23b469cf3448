"""How Alembic runs a migration: inside the transaction that `training.database` opened."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
