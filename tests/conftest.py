"""Golden files: letters kept in ``tests/golden``, written anew with ``pytest --update-golden``."""

from collections.abc import Callable
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parent / "golden"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="write the golden files instead of comparing"
    )


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, bytes], None]:
    """Compares bytes with a golden file, or writes it under ``--update-golden``."""

    def compare(name: str, content: bytes) -> None:
        path = GOLDEN / name
        if request.config.getoption("--update-golden"):
            path.write_bytes(content)
        assert path.is_file(), f"{name} is missing: run pytest --update-golden and read it"
        assert content.decode() == path.read_bytes().decode(), (
            f"{name} differs: if that is meant, run pytest --update-golden and read the difference"
        )

    return compare
