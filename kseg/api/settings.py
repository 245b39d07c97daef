"""Turn the arguments of `kseg.fit` and `kseg.check` into a configuration."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from kseg.config import Config, FlagValue, load_config
from kseg.config.overrides import SECTIONS
from kseg.data.formats.layout.read import read_layout
from kseg.data.inspection.findings import Finding
from kseg.data.inspection.fix import Checked, check_and_fix
from kseg.data.inspection.inspect import Inspection
from kseg.data.sample import SPLITS
from kseg.data.spec import Lists
from kseg.errors import UnknownNameError, UsageError
from kseg.files import expand_home
from kseg.images import printable
from kseg.parallel import Progress
from kseg.registry import nearest

__all__ = ["check_batch", "check_folder", "data_folder", "dotted_keys", "existing", "load_target", "settle_folder"]

_FLAT: Final = {key: section for section, keys in SECTIONS.items() for key in keys}
"""Key of the configuration → its section. Keys are unique: no two sections share one."""

_COMPLETED: Final = ("data.classes", "data.values")
"""Keys that a check completes, even where the caller sets them: with a background, or a value of void."""


_BATCH: Final = "batch"


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


def load_target(
    target: str | os.PathLike[str], overrides: Mapping[str, Any] | None = None, *, strict: bool = True
) -> Config:
    """Load a YAML file, or the configuration for a folder, with every setting of its layout that is certain.

    Args:
        target: The file or folder.
        overrides: Dotted key → value, which replaces that of the file or the layout.
        strict: Whether errors of a folder's files raise; questions always do.

    Raises:
        ConfigError: The configuration is wrong.
        DataError: The data of the folder cannot be used, or a question about them has to be answered.
    """
    path, overrides = existing(target), overrides or {}
    return settle_folder(path, overrides, strict=strict).settings if path.is_dir() else load_config(path, overrides)


def existing(target: str | os.PathLike[str]) -> Path:
    """The path of a file or folder, with ``~`` expanded. Raises UsageError if there is none."""
    path = expand_home(target)
    if not path.exists():
        raise UsageError(
            "no such file or folder", where=printable(path), expected="a folder of images and masks, or a YAML file"
        )
    return path


def settle_folder(
    folder: Path, overrides: Mapping[str, Any], *, strict: bool = True, on_progress: Progress | None = None
) -> Checked[Config]:
    """The configuration for a folder, with every setting that is certain; its result also has the survey of the data.

    Args:
        folder: The folder.
        overrides: Dotted key → value, of the settings that the caller sets.
        strict: Whether errors of the files raise; questions always do.
        on_progress: Called after each sample.

    Raises:
        ConfigError: The configuration is wrong.
        DataError: The data cannot be used, or a question has to be answered; the message has the setting.
    """
    checked = check_folder(folder, overrides, on_progress=on_progress)
    for finding in checked.inspection.errors:
        # A batch that the caller sets is too large for a training only, which says so before it begins.
        if (strict and finding.code != _BATCH) or finding.severity == "question":
            raise finding.to_error(folder)
    return checked


def check_folder(
    folder: Path, overrides: Mapping[str, Any], *, accept_guesses: bool = False, on_progress: Progress | None = None
) -> Checked[Config]:
    """As `settle_folder`, without an exception for findings that prevent a training.

    Args:
        folder: The folder.
        overrides: Dotted key → value, of the settings that the caller sets.
        accept_guesses: Whether to apply guesses, too.
        on_progress: Called after each sample.
    """
    own_settings = _data_settings(overrides)
    layout = read_layout(folder, {key: _plain(value) for key, value in own_settings.items()})

    def load(applied: Mapping[str, Any]) -> Config:
        read = {"data.root": str(folder), **_as_settings(layout.provisional, folder), **applied}
        flags = {key: FlagValue(value, f"the layout of {folder}") for key, value in read.items()}
        own = {key: value for key, value in flags.items() if not _set_by(key, overrides)}
        return load_config(None, own | dict(overrides) | {key: flags[key] for key in _COMPLETED if key in applied})

    return check_and_fix(
        load, lambda config: config.data, fix=True, accept_guesses=accept_guesses, layout=layout, extra=check_batch,
        on_progress=on_progress,
    )  # fmt: skip


def check_batch(config: Config, inspection: Inspection) -> list[Finding]:
    """The finding that a training step takes more images than there are for training, if so."""
    images, batch = inspection.counts.get("train", 0), config.train.batch
    if not 0 < images < batch:
        return []
    return [
        Finding(
            code=_BATCH, severity="error", what=f"a step takes {batch} images, but there are {images} for training",
            why="the images of a step are different ones", count=images, total=images, fix={"train.batch": images},
        )
    ]  # fmt: skip


def data_folder(overrides: Mapping[str, Any]) -> Path | None:
    """The folder that the settings name as ``data.root``; None if they name none, or it does not exist."""
    section = _plain(overrides.get("data", {}))
    root = _plain(overrides.get("data.root", section.get("root") if isinstance(section, Mapping) else None))
    folder = expand_home(root) if isinstance(root, (str, os.PathLike)) else None
    return folder if folder is not None and folder.is_dir() else None


def _data_settings(overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Key of the section ``data`` → value, of the settings that the caller sets."""
    section = _plain(overrides.get("data")) or {}
    flat = {key.partition(".")[2]: value for key, value in overrides.items() if key.startswith("data.")}
    return {key: value for key, value in {**section, **flat}.items() if key != "root" and _plain(value) is not None}


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, FlagValue) else value


def _as_settings(settings: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The settings of a layout as a YAML file has them; its lists are files of the folder."""
    plain = dict(settings)
    split = plain.get("data.split")
    if isinstance(split, Lists):
        paths = [str(folder / file) if (file := getattr(split, name)) else "" for name in SPLITS]
        split = Lists(*paths, val_fraction=split.val_fraction, seed=split.seed)
    return {**plain, "data.split": dataclasses.asdict(split)} if split is not None else plain


def _set_by(key: str, overrides: Mapping[str, Any]) -> bool:
    """Whether an override sets this key or a section that contains it."""
    return any(key == other or key.startswith(f"{other}.") for other in overrides)
