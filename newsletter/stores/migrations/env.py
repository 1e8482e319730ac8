"""Alembic's entrance: it runs the migrations over the connection it was handed."""

from alembic import context

from newsletter.stores.sql.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
)
context.run_migrations()
