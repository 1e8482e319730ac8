"""Alembic's entry point: runs the migrations on the configured connection."""

from alembic import context

from newsletter.stores.sql.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
)
context.run_migrations()
