"""TARGET of the ``kseg data`` commands: a configuration, or a folder whose layout is guessed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from kseg.cli.options import PATH, overrides_from, set_option

__all__ = ["overrides_of", "target_options"]

F = TypeVar("F", bound=Callable[..., Any])


def target_options(function: F) -> F:
    """Add ``TARGET``, ``--classes A,B`` and ``--set``, passed as ``target``, ``classes`` and ``settings``."""
    function = set_option(function)
    text = "Class names in the order of their ids: background,cat,dog (data.classes)."
    function = click.option("--classes", metavar="NAMES", help=text)(function)
    return click.argument("target", type=PATH)(function)


def overrides_of(classes: str | None, settings: Sequence[str]) -> dict[str, Any]:
    """The settings of ``--classes`` and ``--set`` by dotted key. Raises UsageError, ConfigError."""
    names = [name.strip() for name in classes.split(",")] if classes else None
    return overrides_from(None, settings, {"data.classes": names})
