"""What commands need, made once in the process that they are all forked from.

The templates that ship are compiled here: a command that finds them unchanged has their code. And
nothing there is looked through for garbage again: each command would copy what it looks through.
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
import_module("newsletter.templates").load()
gc.collect()
gc.freeze()
