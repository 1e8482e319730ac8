"""The classes of the package that implement a port."""

import pkgutil
from importlib import import_module
from types import ModuleType


def implementations(port: type, package: ModuleType) -> list[type]:
    """The direct subclasses of a port in a package, found in all of its modules."""
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        import_module(module.name)
    found: list[type] = port.__subclasses__()
    return [each for each in found if each.__module__.startswith(package.__name__)]
