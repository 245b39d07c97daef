"""Options that several commands share, and what becomes of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

__all__ = [
    "SizeCommand", "config_argument", "data_option", "flip_option", "min_area_option", "overrides_from", "parse_size",
    "runtime_options", "set_option", "threshold_option", "zoom_option",
]  # fmt: skip

F = TypeVar("F", bound=Callable[..., Any])


class SizeCommand(click.Command):
    """Takes ``--imgsz 192`` and ``--imgsz 192 256``: click knows no options with one or two values."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Join the second number to the first before click sees them."""
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
    """The value of ``--imgsz``: ``192``, ``192 256``, ``192x256`` → [height, width]."""
    del ctx, param
    if value is None:
        return None
    numbers = value.replace("x", " ").replace(",", " ").split()
    if not 1 <= len(numbers) <= 2 or not all(number.isdigit() for number in numbers):
        raise click.BadParameter(f"expected H or H W, as in --imgsz 192 256; found {value!r}")
    height = int(numbers[0])
    return [height, int(numbers[-1])]


def config_argument(function: F) -> F:
    """``[CONFIG]``: a YAML file, as `config`: Path or None."""
    return click.argument("config", required=False, type=click.Path(path_type=Path))(function)


def data_option(function: F) -> F:
    """``--data FOLDER``, as `data`: str or None."""
    text = "Folder of the images and masks (data.root)."
    return click.option("--data", metavar="FOLDER", help=text)(function)


def set_option(function: F) -> F:
    """``--set KEY=VALUE``, any number of times, as `settings`: a tuple of texts."""
    text = "Any other key, e.g. --set train.lr=1e-4 --set 'model.widths=[16, 32]'."
    return click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help=text)(function)


def threshold_option(function: F) -> F:
    """``--threshold X``, as `threshold`: float in 0..1 or None."""
    text = "Score from which on a pixel is foreground.  [default: the model's]"
    return click.option("--threshold", type=click.FloatRange(0, 1), help=text)(function)


def flip_option(function: F) -> F:
    """``--flip``, as `flip`: bool."""
    text = "Ask about the mirror image, too, and take the mean: a little better, at twice the time."
    return click.option("--flip", is_flag=True, help=text)(function)


def zoom_option(function: F) -> F:
    """``--zoom FACTOR``, as `zoom`: float, 1 without it."""
    text = (
        "Ask about the image enlarged so many times, too, in overlapping windows of the network's size, and take the "
        "mean: finds smaller things, at 5 (up to 1.5) or 10 (up to 2) times the time."
    )
    return click.option("--zoom", type=float, default=1.0, metavar="FACTOR", help=text)(function)


def min_area_option(function: F) -> F:
    """``--min-area N`` or ``--min-area CLASS=N``, any number of times, as `min_area`: a tuple of texts."""
    text = "Regions of fewer pixels go to what surrounds them: of every foreground class, or of CLASS; may be repeated."
    return click.option("--min-area", multiple=True, metavar="[CLASS=]PIXELS", help=text)(function)


def runtime_options(function: F) -> F:
    """``--device`` and ``--threads``, as `device`: str and `threads`: int or None."""
    devices = click.Choice(["auto", "cpu", "gpu"])
    function = click.option("--threads", type=click.IntRange(min=1), help="CPU threads.  [default: the runtime's]")(
        function
    )
    return click.option("--device", type=devices, default="auto", show_default=True, help="Where to run.")(function)


def overrides_from(
    data: str | Path | None = None, settings: Sequence[str] = (), flags: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Everything that the command line sets, for `kseg.config.load_config`; the later wins.

    Args:
        data: The value of ``--data``.
        settings: The values of ``--set``, in their order.
        flags: Dotted key → value of a command's own flags, ``--name`` for the key ``….name``; None is not given.

    Raises:
        UsageError: A setting has no ``=``.
        ConfigError: A setting's value is not YAML.
    """
    from kseg.config import FlagValue, parse_set

    given: dict[str, Any] = {}
    for key, value in (flags or {}).items():
        if value is not None:
            given[key] = FlagValue(value, f"--{key.rpartition('.')[2].replace('_', '-')}")
    if data is not None:
        given["data.root"] = FlagValue(str(data), "--data")
    for text in settings:
        key, value = parse_set(text)
        given.pop(key, None)  # the last one of a key also takes the last place
        given[key] = FlagValue(value, f"--set {text}")
    return given
