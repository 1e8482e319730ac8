"""All versions of a preprint have one name, and the store knows which sources muted a paper."""

import sqlalchemy as sa
from alembic import op

from newsletter.papers.names import parse_names

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Create the table, and add the names under which sources list the known papers from now on."""
    op.create_table(
        "muted_by",
        sa.Column("paper", sa.Integer, sa.ForeignKey("papers.number"), primary_key=True),
        sa.Column("source", sa.Text, primary_key=True),
    )
    _name_again(op.get_bind())


def _name_again(connection: sa.Connection) -> None:
    """Give each paper the names that its addresses and DOIs are read as now; the first has them."""
    query = sa.text(
        "SELECT name, paper FROM aliases WHERE name LIKE 'doi:%' OR name LIKE 'url:%'"
        " ORDER BY paper"
    )
    found: dict[str, int] = {}
    for name, paper in connection.execute(query).all():
        scheme, _, value = name.partition(":")
        raw = f"https://{value}" if scheme == "url" else value
        for parsed, _version in parse_names(raw):
            found.setdefault(parsed, paper)
    known = set(connection.execute(sa.text("SELECT name FROM aliases")).scalars())
    rows = [{"name": name, "paper": found[name]} for name in found if name not in known]
    if rows:
        insert = sa.text("INSERT INTO aliases (name, paper) VALUES (:name, :paper)")
        connection.execute(insert, rows)
