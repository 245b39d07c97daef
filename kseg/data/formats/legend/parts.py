"""The entries of a legend, and their parts: names, colours and mask values."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from kseg.data.formats.document import shown
from kseg.images import printable
from kseg.labels import canonical_name, format_color, is_color

__all__ = ["Entry", "Unlike", "parse_name", "parse_rgb", "parse_value"]

_LARGEST_VALUE: Final = 65535
_LONGEST_NAME: Final = 80


@dataclass(frozen=True)
class Entry:
    """A class in a legend.

    Args:
        place: Where it is in the file, for messages.
        name: The canonical class name.
        color: ``#rrggbb``, if the file has one.
        value: The mask value, if the file has one.
    """

    place: str
    name: str
    color: str | None = None
    value: int | None = None


class Unlike(Exception):
    """The content is no legend: the place, what was expected there, and what is there."""

    def __init__(self, place: str, expected: str, found: str) -> None:
        super().__init__(place, expected, found)
        self.place, self.expected, self.found = place, expected, found


def parse_name(value: object, place: str) -> str:
    name = canonical_name(printable(value)) if isinstance(value, str) else ""
    if not name or not name.isprintable() or len(name) > _LONGEST_NAME:
        raise Unlike(place, "the name of a class", shown(value))
    return name


def parse_rgb(value: object, place: str) -> str:
    """``[255, 0, 0]`` or ``#FF0000`` → ``#ff0000``."""
    if isinstance(value, str) and is_color(value.strip()):
        return value.strip().lower()
    channels = value if isinstance(value, list) else []
    if len(channels) != 3 or not all(type(channel) is int and 0 <= channel <= 255 for channel in channels):
        raise Unlike(place, "a colour as [red, green, blue] or '#rrggbb'", shown(value))
    return format_color((channels[0], channels[1], channels[2]))


def parse_value(value: object, place: str) -> int:
    """A mask value, also as text."""
    if isinstance(value, str) and re.fullmatch(r"\s*[0-9]{1,5}\s*", value):
        value = int(value)
    if type(value) is not int or not 0 <= value <= _LARGEST_VALUE:
        raise Unlike(place, f"a mask value in 0..{_LARGEST_VALUE}", shown(value))
    return value
