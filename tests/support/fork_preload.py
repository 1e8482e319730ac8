"""What commands need, made once in the process that they are all forked from.

The templates that ship are compiled here: a command that finds them unchanged has their code. The
authorities that certificates are checked by are read. And nothing there is looked through for
garbage again: each command would copy what it looks through.
"""

import gc
from importlib import import_module

for name in (
    "_strptime",
    "anyio._backends._asyncio",
    "apscheduler.executors.asyncio",
    "apscheduler.triggers.interval",
    "encodings.ascii",
    "encodings.idna",
    "encodings.utf_8_sig",
    "importlib.resources.readers",
    "newsletter.__main__",
    "newsletter.cli.bounces",
    "newsletter.cli.config",
    "newsletter.cli.demo",
    "newsletter.cli.doctor",
    "newsletter.cli.fetch",
    "newsletter.cli.issue",
    "newsletter.cli.preview",
    "newsletter.cli.send",
    "newsletter.cli.status",
    "newsletter.cli.store",
    "newsletter.cli.subscribers",
    "newsletter.cli.templates",
    "newsletter.cli.why",
    "newsletter.app.scheduler",
    "newsletter.stores.migrations.editions",
    "newsletter.stores.migrations",
    "newsletter.web.wiring",
    "psycopg",
    "sqlalchemy.dialects.postgresql.psycopg",
    "tests.support.processes",
    "typer._adapters",
    "typer._click._textwrap",
    "typer._click.decorators",
    "uvloop",
):
    import_module(name)
import_module("newsletter.templates").load_templates()
import_module("newsletter.sources.http_client")._context()
gc.collect()
gc.freeze()
