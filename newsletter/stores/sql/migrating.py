"""Bringing a database's tables up to date, by itself, as the store opens."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError
from sqlalchemy import Connection

from newsletter.errors import StoreError

MIGRATIONS = Path(__file__).parents[1] / "migrations"


def migrate(connection: Connection, name: str) -> None:
    """Run the migrations a database lacks, within the transaction of this connection.

    Raises:
        StoreError: the database was written by a newer newsletter.
    """
    try:
        command.upgrade(configuration(connection), "head")
    except CommandError as error:
        raise StoreError(
            f"{name}: this store was written by a newer version of the newsletter. "
            "Upgrade (pip install --upgrade daily-papers-newsletter), or name another store."
        ) from error


def configuration(connection: Connection) -> Config:
    """Alembic's configuration over this connection."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config
