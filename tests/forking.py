"""What commands need, imported once by the process that they are all forked from.

It comes last of what that process imports: nothing there so far is looked through for garbage
again, as every command would copy the memory it looks through.
"""

import gc
from importlib import import_module

for name in (
    "_strptime",
    "anyio._backends._asyncio",
    "encodings.idna",
    "newsletter.__main__",
    "newsletter.cli.audit",
    "newsletter.cli.config",
    "newsletter.cli.demo",
    "newsletter.cli.doctor",
    "newsletter.cli.fetch",
    "newsletter.cli.issue",
    "newsletter.cli.preview",
    "newsletter.cli.send",
    "newsletter.cli.status",
    "newsletter.cli.subscribers",
    "newsletter.cli.why",
    "newsletter.stores.sql.migrating",
    "sqlalchemy.dialects.postgresql.psycopg",
    "tests.processes",
    "typer._adapters",
    "typer._click.decorators",
    "uvloop",
):
    import_module(name)
gc.collect()
gc.freeze()
