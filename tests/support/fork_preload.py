"""Imports for the process from which :mod:`tests.support.processes` forks every command.

It also compiles the shipped templates and reads the certificate authorities, and then freezes the
garbage collector: a collection in a command would copy the memory that it shares with the others.
"""

import gc
from importlib import import_module

for name in (
    "_strptime",
    "anyio._backends._asyncio",
    "encodings.ascii",
    "encodings.idna",
    "encodings.utf_8_sig",
    "importlib.resources.readers",
    "newsletter.__main__",
    "newsletter.cli.bounces",
    "newsletter.cli.config",
    "newsletter.cli.demo",
    "newsletter.cli.doctor",
    "newsletter.cli.init",
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
