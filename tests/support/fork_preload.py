"""Imports for the process from which :mod:`tests.support.processes` forks every command.

It also compiles the shipped templates and reads the certificate authorities, and then freezes the
garbage collector: a collection in a command would copy the memory that it shares with the others.
"""

import gc
from importlib import import_module
from pkgutil import walk_packages

import newsletter

# Only Alembic can run the first; the second hides a function of the same name in the package.
_SKIPPED = {"newsletter.stores.migrations.env", "newsletter.cli.run"}

for module in walk_packages(newsletter.__path__, "newsletter."):
    if module.name not in _SKIPPED:
        import_module(module.name)
for name in (
    "_strptime",
    "anyio._backends._asyncio",
    "apscheduler.executors.asyncio",
    "apscheduler.triggers.interval",
    "encodings.ascii",
    "encodings.idna",
    "encodings.utf_8_sig",
    "importlib.resources.readers",
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
