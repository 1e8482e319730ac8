"""The migrations of a store's tables; Alembic runs them when a store opens."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError
from sqlalchemy import Connection

from newsletter.errors import StoreError


def migrate(connection: Connection, name: str) -> None:
    """Run the missing migrations in this connection's transaction.

    Raises:
        StoreError: a newer version of the newsletter wrote the database.
    """
    try:
        command.upgrade(configuration(connection), "head")
    except CommandError as error:
        raise StoreError(
            f"{name}: this store was written by a newer version of the newsletter. "
            "Upgrade (pip install --upgrade daily-papers-newsletter), or name another store."
        ) from error


def configuration(connection: Connection) -> Config:
    """Alembic's configuration for this connection."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config
