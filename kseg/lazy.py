"""Import the names of a package at their first use (PEP 562), so that importing the package itself is cheap."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any

__all__ = ["call_after_import", "lazy"]


def lazy(package: str, modules: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """``__getattr__`` and ``__dir__`` for the ``__init__`` of a package whose names are imported on first use.

    Args:
        package: Its ``__name__``.
        modules: Name → the module that defines it; a module of the package itself stands for itself.

    Example:

    ::

        __getattr__, __dir__ = lazy(__name__, {"fit": "kseg.training.fit"})
    """

    def get(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module = import_module(modules[name])
        value = module if modules[name] == f"{package}.{name}" else getattr(module, name)
        setattr(sys.modules[package], name, value)  # the next access finds it at once
        return value

    return get, lambda: sorted({*vars(sys.modules[package]), *modules})


def call_after_import(module: str, function: Callable[[], object]) -> None:
    """Call a function as soon as a module is imported: now, or when somebody imports it.

    It is for what a heavy library must be told before its own functions work, at no cost to those who never load it.

    Args:
        module: A top-level module.
        function: Called once, without arguments.
    """
    if module in sys.modules:
        function()
    else:
        sys.meta_path.insert(0, _AfterImport(module, function))


class _AfterImport(MetaPathFinder):
    """Finds a module as the other finders do, and has a function called when it has been executed."""

    def __init__(self, module: str, function: Callable[[], object]) -> None:
        self.module = module
        self.function = function

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
        """The spec of the module, with a loader that calls the function; None for all other modules."""
        del path, target
        if fullname != self.module:
            return None
        sys.meta_path.remove(self)
        spec = find_spec(fullname)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def execute_and_call(module: ModuleType) -> None:
                execute(module)
                self.function()

            spec.loader.exec_module = execute_and_call  # type: ignore[method-assign]
        return spec
