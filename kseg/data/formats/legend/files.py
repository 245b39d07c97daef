"""Parse the files that explain the masks of a data set: for each entry a class name, with its colour or mask value.

::

    labelmap.txt, label_map.txt       CVAT            background:0,0,0::
    label_colors.txt, colors.txt      CamVid, CVAT    64 128 64<TAB>Animal
    class_dict.csv, x_class_dict.csv  tables          name,r,g,b
    _classes.csv                      Roboflow        Pixel Value, Class
    classes.txt, labels.txt, class_names.txt, codes.txt, obj.names      a name per line, or 0: background
    data.yaml, dataset.yaml           YOLO            names: [cat, dog]
    meta.json                         Supervisely     {"classes": [{"title": "cat", "color": "#FF0000"}]}
    obj_class_to_machine_color.json   Supervisely     {"cat": [1, 1, 1]}
    config.json                       Mapillary       {"labels": [{"readable": "Bird", "color": [165, 42, 42]}]}
    label_map.json, classes.json, id2label.json       {"0": "background"} or {"background": 0}
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from kseg.data.formats.document import read_json, read_text, shown
from kseg.data.formats.legend.lines import COLORED, NAME_ONLY, VALUE_FIRST, content_lines, lines_in
from kseg.data.formats.legend.parts import Entry, Unlike, parse_name, parse_rgb, parse_value
from kseg.errors import DataError
from kseg.images import printable
from kseg.labels import is_color, parse_color

__all__ = ["read_entries"]

_LARGEST: Final = 1 << 22
"""Bytes; no legend is as long."""
_NAME_COLUMNS: Final = ("name", "class", "class_name", "class_names", "classname", "label", "label_name", "category")
_VALUE_COLUMNS: Final = ("pixel_value", "value", "id", "index", "class_id", "label_id", "gray", "grey")
_COLOR_COLUMNS: Final = (("r", "g", "b"), ("red", "green", "blue"))
_NAME_KEYS: Final = ("title", "readable", "name", "label", "class")
_COLOR_KEYS: Final = ("color", "colour", "rgb")
_VALUE_KEYS: Final = ("id", "value", "index", "pixel_value")


def read_entries(path: Path) -> list[Entry] | None:
    """The entries of a legend file, in the file's order; None if it is none by its name, or by its content.

    By their content only files are judged whose names are common for other things, too (labels.txt, meta.json, …).

    Raises:
        DataError: The name is that of a legend, but not the content.
    """
    name = path.name.lower()
    kind = next((kind for kind in _KINDS if re.fullmatch(kind.names, name)), None)
    if kind is None or name.startswith(".") or not path.is_file():
        return None
    try:
        if path.stat().st_size > _LARGEST:
            raise Unlike("", f"at most {_LARGEST >> 20} MiB", "a longer file")
        return kind.read(path)
    except (Unlike, DataError, OSError) as error:
        if kind.is_common:
            return None
        raise _named(error, path) from error


def _named(error: Unlike | DataError | OSError, path: Path) -> DataError:
    if isinstance(error, DataError):
        return error
    if isinstance(error, OSError):
        return DataError("cannot be read", where=printable(path), found=error.strerror or str(error))
    where = f"{printable(path)}: {error.place}" if error.place else printable(path)
    return DataError(
        "the file does not say which class is which, as its name promises", where=where, expected=error.expected,
        found=error.found, remedy="correct it, or rename it if it is about something else",
    )  # fmt: skip


# --- CSV --------------------------------------------------------------------------------------------------------------


def _table(path: Path) -> list[Entry]:
    """The entries of a CSV file with a header; without one, its columns are name, r, g, b or value, name."""
    rows = _rows(read_text(path))
    if not rows:
        raise Unlike("", "name,r,g,b", "an empty file")
    header = [re.sub(r"[\s_]+", "_", cell.lower()) for cell in rows[0][1]]
    titled = _columns(header)
    columns = titled or {4: (0, (1, 2, 3)), 2: (1, (0,))}.get(len(header))
    if columns is None:
        raise Unlike(rows[0][0], "a header as name,r,g,b", shown(",".join(rows[0][1])))
    if titled:
        rows = rows[1:]
    if not rows:
        raise Unlike("", "a row for each class", "a header only")
    return [_row_entry(place, cells, *columns) for place, cells in rows]


def _rows(text: str) -> list[tuple[str, list[str]]]:
    first = next(iter(content_lines(text)), ("", ""))[1]
    delimiter = max(",;\t", key=first.count)
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
        rows = [(f"line {reader.line_num}", [cell.strip() for cell in row]) for row in reader]
    except csv.Error as error:
        raise Unlike("", "a CSV file", str(error)) from error
    return [(place, row) for place, row in rows if any(row) and not row[0].startswith("#")]


def _columns(header: Sequence[str]) -> tuple[int, tuple[int, ...]] | None:
    """The column of the names, and those of the colour or value; None if these are no titles."""
    name = next((header.index(title) for title in _NAME_COLUMNS if title in header), None)
    if name is None:
        return None
    for titles in _COLOR_COLUMNS:
        if set(titles) <= set(header):
            return name, tuple(header.index(title) for title in titles)
    value = next((header.index(title) for title in _VALUE_COLUMNS if title in header), None)
    return None if value is None else (name, (value,))


def _row_entry(place: str, cells: Sequence[str], name: int, key: Sequence[int]) -> Entry:
    if len(cells) <= max(name, *key):
        raise Unlike(place, f"{max(name, *key) + 1} columns", f"{len(cells)}: {shown(','.join(cells))}")
    if len(key) == 1:
        return Entry(place, parse_name(cells[name], place), value=parse_value(cells[key[0]], place))
    channels = [cells[column] for column in key]
    if not all(re.fullmatch("[0-9]{1,3}", channel) for channel in channels):
        raise Unlike(place, "a colour of three numbers in 0..255", shown(",".join(cells)))
    return Entry(place, parse_name(cells[name], place), color=parse_rgb(list(map(int, channels)), place))


# --- JSON and YAML ----------------------------------------------------------------------------------------------------


def _objects(path: Path) -> list[Entry]:
    """The classes of Supervisely's meta.json, the labels of Mapillary's config.json."""
    data = read_json(path)
    entries = [data.get("classes"), data.get("labels")] if isinstance(data, dict) else []
    described = next((entry for entry in entries if isinstance(entry, list) and entry), None)
    if described is None:
        raise Unlike("", "a list of classes or labels", shown(data))
    return _uniform([_object_entry(f"[{i}]", entry) for i, entry in enumerate(described)])


def _object_entry(place: str, data: object) -> Entry:
    """An entry such as ``{"name": "cat", "color": [255, 0, 0]}``, or a name."""
    if isinstance(data, str):
        return Entry(place, parse_name(data, place))
    if not isinstance(data, dict):
        raise Unlike(place, "a name, or a mapping with one", shown(data))
    name = parse_name(next((data[key] for key in _NAME_KEYS if key in data), None), place)
    color = next((data[key] for key in _COLOR_KEYS if key in data), None)
    # Where Supervisely has a title, its id is a number of its database.
    value = None if "title" in data else next((data[key] for key in _VALUE_KEYS if key in data), None)
    color, value = color and parse_rgb(color, place), None if value is None else parse_value(value, place)
    return Entry(place, name, color, value)


def _pairs(path: Path) -> list[Entry]:
    """A list as in `_objects`, or a mapping between names and values or colours, in either direction."""
    data = read_json(path)
    if isinstance(data, dict) and any(isinstance(data.get(key), list) for key in ("classes", "labels")):
        return _objects(path)
    if isinstance(data, list) and data:
        return _uniform([_object_entry(f"[{i}]", entry) for i, entry in enumerate(data)])
    if not isinstance(data, dict) or not data:
        raise Unlike("", "a mapping between values and names", shown(data))
    return _uniform([_pair_entry(str(key), value) for key, value in data.items()])


def _pair_entry(key: str, data: object) -> Entry:
    place = shown(key)
    if isinstance(data, str) and is_color(key):
        return Entry(place, parse_name(data, place), color=parse_rgb(key, place))
    if re.fullmatch("[0-9]{1,5}", key) and isinstance(data, str):
        return Entry(place, parse_name(data, place), value=parse_value(key, place))
    if re.fullmatch("[0-9]{1,5}", key) and isinstance(data, dict):
        entry = _object_entry(place, data)
        return Entry(place, entry.name, entry.color, parse_value(key, place))
    if type(data) is int:
        return Entry(place, parse_name(key, place), value=parse_value(data, place))
    return Entry(place, parse_name(key, place), color=parse_rgb(data, place))


def _machine_colors(path: Path) -> list[Entry]:
    """Supervisely's masks for machines: greys, which are read as values."""
    entries = []
    for entry in _pairs(path):
        color = parse_color(entry.color or "#000001")
        if len(set(color)) > 1:
            raise Unlike(entry.place, "a grey as [1, 1, 1]", entry.color or str(entry.value))
        entries.append(Entry(entry.place, entry.name, value=color[0]))
    return entries


def _uniform(entries: list[Entry]) -> list[Entry]:
    """Raises Unlike if some entries have a colour, or a value, and others have none."""
    for entry in entries:
        if (entry.color is None, entry.value is None) != (entries[0].color is None, entries[0].value is None):
            raise Unlike(entry.place, f"a colour or value as in {entries[0].place}, in each entry", entry.name)
    return entries


def _yaml_names(path: Path) -> list[Entry] | None:
    """``names`` of YOLO's settings; None if there is no such key."""
    try:
        # Without constructors: a class may be called yes, and no tag can fail.
        data = yaml.load(read_text(path), Loader=yaml.BaseLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise Unlike("", "YAML", str(error)) from error
    names: Any = data.get("names", _MISSING) if isinstance(data, dict) else data
    if names is _MISSING:
        return None
    if isinstance(names, Mapping) and names:
        pairs = [(f"names.{key}", key, name) for key, name in names.items()]
        return [Entry(place, parse_name(name, place), value=parse_value(key, place)) for place, key, name in pairs]
    if not isinstance(names, list) or not names:
        raise Unlike("names", "a list of names", shown(names))
    return [Entry(f"names[{i}]", parse_name(name, f"names[{i}]"), value=i) for i, name in enumerate(names)]


_MISSING: Final = object()


# --- which file is read how -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Kind:
    """Files of these names (a regular expression, lower case), how they are read, and whether the names are common."""

    names: str
    read: Callable[[Path], list[Entry] | None]
    is_common: bool = False


_KINDS: Final = (
    _Kind(r"label_?map\.txt", lines_in(*COLORED, VALUE_FIRST)),
    _Kind(r"label_colors\.txt", lines_in(*COLORED)),
    _Kind(r"colors\.txt", lines_in(*COLORED), is_common=True),
    _Kind(r"_classes\.csv|(.*_)?class_dict(_.*)?\.csv", _table),
    _Kind(r"class_names\.txt|codes\.txt|obj\.names", lines_in(*COLORED, VALUE_FIRST, NAME_ONLY)),
    _Kind(r"(classes|labels)\.txt", lines_in(*COLORED, VALUE_FIRST, NAME_ONLY), is_common=True),
    _Kind(r"(data|dataset)\.ya?ml", _yaml_names),
    _Kind(r"(meta|config)\.json", _objects, is_common=True),
    _Kind(r"(label_?map|classes|id2label|label2id|class_names)\.json", _pairs),
    _Kind(r"obj_class_to_machine_color\.json", _machine_colors),
)
