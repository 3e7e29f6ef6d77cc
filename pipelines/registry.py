"""Finds every mode of this package, and refuses to start with a malformed one."""

import importlib
import pkgutil
from collections.abc import Mapping
from types import MappingProxyType, ModuleType
from typing import Final

import pipelines
from pipelines.contracts import AnyMode, Mode

_NOT_MODES: Final = frozenset(
    {
        *("__main__", "contracts", "devices", "headers", "memory", "pictures", "profiles"),
        *("quantise", "registry", "requests", "residence", "styles", "uploads", "weights"),
    }
)


class MalformedMode(Exception):
    """A mode file that does not keep the contract; the message names it."""


def discover_modes(package: ModuleType = pipelines) -> Mapping[str, AnyMode]:
    """Import each mode file of the package once and index its ``MODE`` by name.

    Folders are no modes: blocks live there. Importing a mode imports no torch.

    Raises:
        MalformedMode: a file has no ``MODE``, or one that goes by another name.
    """
    names = [
        module.name
        for module in pkgutil.iter_modules(package.__path__)
        if not module.ispkg and module.name not in _NOT_MODES
    ]
    return MappingProxyType({name: _mode_of(package, name) for name in sorted(names)})


def _mode_of(package: ModuleType, name: str) -> AnyMode:
    module = importlib.import_module(f"{package.__name__}.{name}")
    mode = getattr(module, "MODE", None)
    if not isinstance(mode, Mode):
        msg = f"{module.__file__} must define MODE: Mode[...]"
        raise MalformedMode(msg)
    if mode.name != name:
        msg = f"{module.__file__} must register its mode as {name!r}, not {mode.name!r}"
        raise MalformedMode(msg)
    if mode.cost < 1:
        msg = f"{module.__file__} must cost at least 1 unit, not {mode.cost}"
        raise MalformedMode(msg)
    return mode
