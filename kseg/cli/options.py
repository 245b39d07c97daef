"""Options that several commands share, and their translation into settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from kseg.files import expand_home

__all__ = [
    "PATH", "STDOUT", "SizeCommand", "config_argument", "data_option", "flip_option", "min_area_option",
    "overrides_from", "parse_size", "runtime_options", "set_option", "threshold_option", "zoom_option",
]  # fmt: skip

F = TypeVar("F", bound=Callable[..., Any])


class _HomePath(click.Path):
    """A path as `pathlib.Path`, the home folder in the place of a leading ``~``."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "":
            self.fail("the path is empty", param, ctx)
        return super().convert(expand_home(value), param, ctx)


PATH: Final = _HomePath(path_type=Path)
"""The type of every argument and option that is a path."""

STDOUT: Final = Path("-")
"""The value of ``--json`` that prints the JSON."""


class SizeCommand(click.Command):
    """A command with ``--imgsz 192`` and ``--imgsz 192 256``: click has no options with one or two values."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Join the two numbers into one value before click parses the arguments."""
        joined: list[str] = []
        for arg in args:
            follows = len(joined) >= 2 and joined[-2] == "--imgsz" and joined[-1].isdigit()
            alone = joined and joined[-1].startswith("--imgsz=") and joined[-1][8:].isdigit()
            if arg.isdigit() and (follows or alone):
                joined[-1] += f" {arg}"
            else:
                joined.append(arg)
        return super().parse_args(ctx, joined)


def parse_size(ctx: click.Context, param: click.Parameter, value: str | None) -> list[int] | None:
    """Parse the value of ``--imgsz``: ``192``, ``192 256`` or ``192x256`` → [height, width]."""
    del ctx, param
    if value is None:
        return None
    numbers = value.replace("x", " ").replace(",", " ").split()
    if not 1 <= len(numbers) <= 2 or not all(number.isdigit() for number in numbers):
        raise click.BadParameter(f"expected H or H W, as in --imgsz 192 256; found {value!r}")
    height = int(numbers[0])
    return [height, int(numbers[-1])]


def config_argument(function: F) -> F:
    """Add the argument ``[CONFIG]``, a YAML file, passed as ``config``: Path or None."""
    return click.argument("config", required=False, type=PATH)(function)


def data_option(function: F) -> F:
    """Add ``--data FOLDER``, passed as ``data``: str or None."""
    text = "Folder of the images and masks (data.root)."
    return click.option("--data", metavar="FOLDER", help=text)(function)


def set_option(function: F) -> F:
    """Add the repeatable ``--set KEY=VALUE``, passed as ``settings``: tuple of str."""
    text = "Any other key, e.g. --set train.lr=1e-4 --set 'model.widths=[16, 32]'."
    return click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help=text)(function)


def threshold_option(function: F) -> F:
    """Add ``--threshold X``, passed as ``threshold``: float in 0..1 or None."""
    text = "Pixels with at least this score are foreground.  [default: the model's]"
    return click.option("--threshold", type=click.FloatRange(0, 1), help=text)(function)


def flip_option(function: F) -> F:
    """Add ``--flip``, passed as ``flip``: bool."""
    text = "Also predict the mirror image, and average the scores: slightly better, at twice the time."
    return click.option("--flip", is_flag=True, help=text)(function)


def zoom_option(function: F) -> F:
    """Add ``--zoom FACTOR``, passed as ``zoom``: float, by default 1."""
    text = (
        "Also predict the image enlarged by this factor, in overlapping windows of the network's size, and average the "
        "scores: finds smaller objects, at 5 (up to 1.5) or 10 (up to 2) times the time."
    )
    return click.option("--zoom", type=float, default=1.0, metavar="FACTOR", help=text)(function)


def min_area_option(function: F) -> F:
    """Add the repeatable ``--min-area N`` or ``--min-area CLASS=N``, passed as ``min_area``: tuple of str."""
    text = (
        "Smallest area of a region, of all foreground classes or of CLASS; smaller regions get the classes around "
        "them; may be repeated."
    )
    return click.option("--min-area", multiple=True, metavar="[CLASS=]PIXELS", help=text)(function)


def runtime_options(function: F) -> F:
    """Add ``--runtime``, ``--device`` (passed as str) and ``--threads`` (int or None)."""
    runtimes = click.Choice(["auto", "litert", "onnxruntime", "openvino", "keras", "saved_model"])
    devices = click.Choice(["auto", "cpu", "gpu"])
    function = click.option(
        "--threads", type=click.IntRange(min=1), help="Number of CPU threads.  [default: the runtime's]"
    )(function)
    function = click.option("--device", type=devices, default="auto", show_default=True, help="Device to run on.")(
        function
    )
    text = "What runs the model; auto measures once which of the installed ones is the fastest here with this file."
    return click.option("--runtime", type=runtimes, default="auto", show_default=True, help=text)(function)


def overrides_from(
    data: str | Path | None = None, settings: Sequence[str] = (), flags: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The settings of the command line by dotted key, as `kseg.config.load_config` takes them.

    ``--set`` overrides ``--data``, which overrides the other flags; of several ``--set`` of a key, the last one counts.

    Args:
        data: The value of ``--data``.
        settings: The values of ``--set``, in their order.
        flags: Dotted key → value, of the command's own flags (``--name`` sets ``section.name``); None is ignored.

    Raises:
        UsageError: A setting has no ``=``.
        ConfigError: A setting's value is not YAML.
    """
    from kseg.config import FlagValue, parse_set

    overrides: dict[str, Any] = {}
    for key, value in (flags or {}).items():
        if value is not None:
            overrides[key] = FlagValue(value, f"--{key.rpartition('.')[2].replace('_', '-')}")
    if data is not None:
        overrides["data.root"] = FlagValue(str(data), "--data")
    for text in settings:
        key, value = parse_set(text)
        overrides.pop(
            key, None
        )  # so that the key also moves to the end: the order decides between a section and its key
        overrides[key] = FlagValue(value, f"--set {text}")
    return overrides
