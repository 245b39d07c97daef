"""TARGET of the ``kseg data`` commands: a configuration, or a folder whose layout is guessed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from kseg.cli.options import overrides_from, set_option

__all__ = ["overrides_of", "target_options"]

F = TypeVar("F", bound=Callable[..., Any])


def target_options(function: F) -> F:
    """``TARGET --classes A,B --set KEY=VALUE``, as `target`: Path, `classes`: str or None, `settings`."""
    function = set_option(function)
    text = "Class names in order, with commas: background,cat,dog (data.classes)."
    function = click.option("--classes", metavar="NAMES", help=text)(function)
    return click.argument("target", type=click.Path(path_type=Path))(function)


def overrides_of(classes: str | None, settings: Sequence[str]) -> dict[str, Any]:
    """What ``--classes`` and ``--set`` set, by dotted key. Raises UsageError, ConfigError."""
    names = [name.strip() for name in classes.split(",")] if classes else None
    return overrides_from(None, settings, {"data.classes": names})
