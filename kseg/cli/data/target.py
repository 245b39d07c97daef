"""TARGET of the ``kseg data`` commands: a configuration, or a folder whose layout is guessed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from kseg.cli.options import overrides_from, set_option

if TYPE_CHECKING:
    from kseg.config import Config

__all__ = ["load_target", "target_options"]

F = TypeVar("F", bound=Callable[..., Any])


def target_options(function: F) -> F:
    """``TARGET --classes A,B --set KEY=VALUE``, as `target`: Path, `classes`: str or None, `settings`."""
    function = set_option(function)
    text = "Class names in order, with commas: background,cat,dog (data.classes)."
    function = click.option("--classes", metavar="NAMES", help=text)(function)
    return click.argument("target", type=click.Path(path_type=Path))(function)


def load_target(
    target: Path, classes: str | None = None, settings: Sequence[str] = (), more: Mapping[str, Any] | None = None
) -> Config:
    """The configuration of TARGET: guessed layout, or YAML < --classes < --set < ``more``, values by dotted key.

    Raises:
        ConfigError: The configuration is wrong.
        DataError: The folder has no layout that is known.
    """
    from kseg.config import Given, load_config

    flags = {"data.classes": [name.strip() for name in classes.split(",")] if classes else None}
    given = overrides_from(None, settings, flags)
    for key, value in (more or {}).items():
        given.pop(key, None)  # the last one of a key also takes the last place
        given[key] = value
    if not target.is_dir():
        return load_config(target, given)
    from kseg.data.formats.layout import guess_layout

    layout: dict[str, Any] = {"data.root": str(target)}
    for key, value in guess_layout(target).settings().items():
        layout[f"data.{key}"] = Given(value, f"the layout guessed of {target}")
    return load_config(None, {key: value for key, value in layout.items() if not _replaced(key, given)} | given)


def _replaced(key: str, given: dict[str, Any]) -> bool:
    """Whether the user says this key, or the whole section of it."""
    return any(key == one or key.startswith(f"{one}.") for one in given)
