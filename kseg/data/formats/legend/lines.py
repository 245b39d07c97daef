"""Legends that are text files with a class in each line."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kseg.data.formats.document import read_text, shown
from kseg.data.formats.legend.parts import Entry, Unlike, parse_name, parse_rgb, parse_value
from kseg.images import IMAGE_SUFFIXES

__all__ = ["COLORED", "NAME_ONLY", "VALUE_FIRST", "LineForm", "content_lines", "lines_in"]

_MOST_NAMES: Final = 1024
"""A longer list of names without values lists something else: files, or words."""
_BYTE: Final = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
_COLOR: Final = rf"(?P<red>{_BYTE})[\s,]+(?P<green>{_BYTE})[\s,]+(?P<blue>{_BYTE})"
_HEADER_WORDS: Final = frozenset(
    ("r", "g", "b", "red", "green", "blue", "rgb", "color", "colour", "name", "label", "class", "id", "index", "value")
)


@dataclass(frozen=True)
class LineForm:
    """A form of lines: an example for messages, and the groups ``name`` and ``value`` or ``red, green, blue``."""

    example: str
    pattern: re.Pattern[str]


_NAME: Final = r"(?P<name>[^\s,:].*)"
COLORED: Final = (
    LineForm("name:red,green,blue::", re.compile(rf"(?P<name>[^:]+):\s*{_COLOR}\s*(:.*)?", re.ASCII)),
    LineForm("red green blue name", re.compile(rf"{_COLOR}[\s,:]+{_NAME}", re.ASCII)),
    LineForm("name red green blue", re.compile(rf"(?P<name>.*[^\s,:])[\s,:]+{_COLOR}", re.ASCII)),
)
VALUE_FIRST: Final = LineForm(
    "value: name", re.compile(r"(?P<value>[0-9]{1,5})(\s*[:=,;]\s*|\s+)(?P<name>[^\s:=,;].*)")
)
NAME_ONLY: Final = LineForm("name", re.compile(r"(?P<name>.+)"))


def lines_in(*forms: LineForm) -> Callable[[Path], list[Entry]]:
    """A parser of text files all of whose lines have the same one of these forms; it raises `Unlike`."""

    def read(path: Path) -> list[Entry]:
        lines = content_lines(read_text(path))
        rows = lines[1:] if lines and _is_header(lines[0][1]) else lines
        if not rows:
            raise Unlike("", f"lines such as {forms[0].example!r}", "an empty file")
        form = _form_of(rows, forms)
        return _names(lines) if form is NAME_ONLY else [_entry(place, line, form) for place, line in rows]

    return read


def content_lines(text: str) -> list[tuple[str, str]]:
    """Place and content of the lines that are neither blank nor comments."""
    numbered = enumerate(re.split(r"\r\n|\n|\r", text), 1)
    stripped = ((f"line {number}", line.strip()) for number, line in numbered)
    return [(place, line) for place, line in stripped if line and not line.startswith(("#", "//"))]


def _is_header(line: str) -> bool:
    words = re.split(r"[\s,:;()]+", line.lower())
    return len(words) > 1 and set(words) <= _HEADER_WORDS


def _form_of(lines: Sequence[tuple[str, str]], forms: Sequence[LineForm]) -> LineForm:
    """The form of most lines; a mere name only where no other form fits half of them, for a name may hold numbers."""

    def fitting(form: LineForm) -> int:
        return sum(form.pattern.fullmatch(line) is not None for _, line in lines)

    best = max((form for form in forms if form is not NAME_ONLY), key=fitting)
    return NAME_ONLY if NAME_ONLY in forms and 2 * fitting(best) < len(lines) else best


def _entry(place: str, line: str, form: LineForm) -> Entry:
    match = form.pattern.fullmatch(line)
    if match is None:
        raise Unlike(place, form.example, shown(line))
    if form is VALUE_FIRST:
        return Entry(place, _worded(match["name"], place), value=parse_value(match["value"], place))
    channels = [int(match[channel]) for channel in ("red", "green", "blue")]
    return Entry(place, parse_name(match["name"], place), color=parse_rgb(channels, place))


def _names(lines: Sequence[tuple[str, str]]) -> list[Entry]:
    if len(lines) > _MOST_NAMES:
        raise Unlike("", f"at most {_MOST_NAMES} names", f"{len(lines)} lines")
    entries = [Entry(place, _worded(line, place)) for place, line in lines]
    places: dict[str, str] = {}
    for entry in entries:
        if places.setdefault(entry.name, entry.place) != entry.place:
            raise Unlike(entry.place, "each name once", f"{entry.name}, as in {places[entry.name]}")
    # LabelMe counts from -1 if it has a label to ignore, and stores -1 as 255.
    if lines[0][1] == "__ignore__":
        return [Entry(entry.place, entry.name, value=(i - 1) % 256) for i, entry in enumerate(entries)]
    return entries


def _worded(text: str, place: str) -> str:
    """A name with a letter that is no file's."""
    is_file = any(Path(word).suffix.lower() in IMAGE_SUFFIXES for word in text.split())
    if is_file or not any(character.isalpha() for character in text):
        raise Unlike(place, "the name of a class", shown(text))
    return parse_name(text, place)
