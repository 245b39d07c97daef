"""Import the names of a package at their first use (PEP 562), so that importing the package itself is cheap."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any

__all__ = ["import_after", "lazy"]


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


def import_after(trigger: str, modules: Sequence[str]) -> None:
    """Import modules as soon as another one is imported: now, or when somebody imports it.

    It is for registering classes with a heavy library, at no cost to those who never load it.

    Args:
        trigger: A top-level module.
        modules: What to import after it.
    """
    if trigger in sys.modules:
        _import_all(modules)
    else:
        sys.meta_path.insert(0, _AfterImport(trigger, modules))


def _import_all(modules: Sequence[str]) -> None:
    for module in modules:
        # Where a part of the module is what imports the trigger, it is half imported, and its import goes on below.
        with suppress(ImportError):
            import_module(module)


class _AfterImport(MetaPathFinder):
    """Finds the trigger as the other finders do, with a loader that imports the modules in the end."""

    def __init__(self, trigger: str, modules: Sequence[str]) -> None:
        self.trigger = trigger
        self.modules = modules

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
        """The spec of the trigger; None for all other modules, which leaves them to the other finders."""
        del path, target
        if fullname != self.trigger:
            return None
        sys.meta_path.remove(self)
        spec = find_spec(fullname)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def execute_and_import(module: ModuleType) -> None:
                execute(module)
                _import_all(self.modules)

            spec.loader.exec_module = execute_and_import  # type: ignore[method-assign]
        return spec
