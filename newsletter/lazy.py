"""Packages whose modules are imported when one of their names is first asked for (PEP 562).

The name of a package stands for many modules; whoever needs one of them shall not wait for all.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def importing(package: str, names: Mapping[str, str]) -> Callable[[str], Any]:
    """The ``__getattr__`` of a package whose modules (keys) have these names (words of a value)."""
    homes = {name: module for module, words in names.items() for name in words.split()}

    def attribute(name: str) -> Any:  # noqa: ANN401 - whatever the module has
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(f"{package}.{homes[name]}"), name)

    return attribute
