"""Turn the arguments of `kseg.fit` and `kseg.check` into a configuration."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from kseg.config import Config, FlagValue, load_config
from kseg.config.overrides import SECTIONS
from kseg.data.formats.layout import guess_layout
from kseg.errors import UnknownNameError
from kseg.registry import nearest

__all__ = ["dotted_keys", "load_target"]

_FLAT: Final = {key: section for section, keys in SECTIONS.items() for key in keys}
"""Key of the configuration → its section. Keys are unique: no two sections share one."""


def dotted_keys(settings: Mapping[str, Any], *, function: str) -> dict[str, Any]:
    """Turn keyword arguments into settings by dotted key, as `load_config` takes them.

    Args:
        settings: Keys of any section (``epochs=3``), dotted keys (``**{"train.epochs": 3}``), or whole sections as
            mappings (``train={"epochs": 3}``). ``data`` may also be a path: ``data.root``.
        function: The function that they are passed to, for error messages.

    Returns:
        Dotted key → value, with its origin for error messages.

    Raises:
        UnknownNameError: There is no such key; the message suggests the closest one.
    """
    dotted: dict[str, Any] = {}
    for key, value in settings.items():
        if "." in key or isinstance(value, FlagValue):
            dotted[key] = value
            continue
        if key == "data" and not isinstance(value, Mapping):
            name = "data.root"
            value = os.fspath(value) if isinstance(value, os.PathLike) else value
        elif key in SECTIONS or key == "augment":
            name = key
        elif key in _FLAT:
            name = f"{_FLAT[key]}.{key}"
        else:
            near = nearest(key, [*_FLAT, *SECTIONS, "augment"])
            raise UnknownNameError(
                f"unknown setting {key!r}", where=f"{function}({key}=…)",
                expected="a key of the configuration (kseg config show lists all)",
                remedy=f"did you mean {near!r}?" if near else None,
            )  # fmt: skip
        dotted[name] = FlagValue(value, f"{function}({key}=…)")
    return dotted


def load_target(target: str | os.PathLike[str], overrides: Mapping[str, Any] | None = None) -> Config:
    """Load a YAML file, or the configuration for a folder, whose layout is guessed.

    Args:
        target: The file or folder.
        overrides: Dotted key → value, which replaces that of the file or the guess.

    Raises:
        ConfigError: The configuration is wrong.
        DataError: The layout of the folder is unknown.
    """
    path, overrides = Path(target), overrides or {}
    if not path.is_dir():
        return load_config(path, overrides)
    layout: dict[str, Any] = {"data.root": str(path)}
    for key, value in guess_layout(path).settings().items():
        layout[f"data.{key}"] = FlagValue(value, f"the layout guessed of {path}")
    return load_config(
        None, {key: value for key, value in layout.items() if not _replaced(key, overrides)} | dict(overrides)
    )


def _replaced(key: str, overrides: Mapping[str, Any]) -> bool:
    """Whether an override sets this key or a section that contains it."""
    return any(key == other or key.startswith(f"{other}.") for other in overrides)
