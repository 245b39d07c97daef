"""`find_legend`: the file of a data set that says which colour or value of its masks is which class."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from kseg.data.formats.legend.files import read_entries
from kseg.data.formats.legend.parts import Entry
from kseg.errors import DataError
from kseg.images import printable
from kseg.labels import BACKGROUND, IGNORE, is_color, parse_color, values_line

__all__ = ["Legend", "find_legend"]

_IGNORED: Final = frozenset({"ignore", "__ignore__", "_ignore_", "void"})
"""Names, in lower case, of unknown ground truth: VOC's, CamVid's, LabelMe's and CVAT's."""


@dataclass(frozen=True)
class Legend:
    """The meaning of mask values, as a file states it.

    Args:
        path: The file.
        names: The class names: the background first, the others in the file's order.
        values: Mask value, or colour ``#rrggbb`` → class name or ``ignore``, as `DataSpec.values`.
        indices: The same for masks that hold the classes' indices, as `as_indices` returns them.
        stated: Whether the file states the values or colours; otherwise they count its entries from 0.
    """

    path: Path
    names: tuple[str, ...]
    values: Mapping[int | str, str]
    indices: Mapping[int | str, str]
    stated: bool = True

    @property
    def is_colored(self) -> bool:
        """Whether the values are colours."""
        return any(is_color(value) for value in self.values)

    def as_indices(self) -> Legend:
        """For index masks of a legend of colours: value *i* is the *i*-th entry, or that with the stated index *i*."""
        return replace(self, values=self.indices)

    def as_greys(self) -> Legend | None:
        """For masks of one channel of a legend of colours: each grey is its value; None if a colour is no grey."""
        colors = {value: parse_color(str(value)) for value in self.values if is_color(value)}
        if not colors or any(len(set(color)) > 1 for color in colors.values()):
            return None
        return replace(self, values={color[0]: self.values[value] for value, color in colors.items()})


def find_legend(root: Path, folders: Sequence[Path] = ()) -> Legend | None:
    """Find the file that says which colour or value is which class; `kseg.data.formats.legend.files` lists its forms.

    Args:
        root: The folder of the data set.
        folders: Folders of images and masks; they and their parents up to ``root`` are searched, too.

    Returns:
        The legend; a file that states values or colours goes before one that only lists names. None if there is none.

    Raises:
        DataError: A file with the name of a legend is none; one names two classes for a value; two of them contradict
            each other.
    """
    legends = [legend for path in _files(root, folders) if (legend := _read(path)) is not None]
    if not legends:
        return None
    ranked = sorted(legends, key=lambda legend: (not legend.stated, not legend.is_colored, -len(legend.values)))
    for legend in ranked[1:]:
        _require_agreement(ranked[0], legend)
    indexed = next((legend for legend in ranked if not legend.is_colored), ranked[0])
    return replace(ranked[0], indices=indexed.indices)


def _files(root: Path, folders: Sequence[Path]) -> Iterator[Path]:
    root = Path(os.path.abspath(root))
    places = {root: None}
    for folder in folders:
        folder = Path(os.path.abspath(folder))
        parents = [parent for parent in folder.parents if parent.is_relative_to(root)]
        places |= dict.fromkeys((folder, *parents))
    for place in places:
        try:
            names = sorted(os.listdir(place))
        except OSError:
            continue
        yield from (place / name for name in names)


def _read(path: Path) -> Legend | None:
    entries = read_entries(path)
    if entries is None:
        return None
    entries = [replace(entry, name=IGNORE) if entry.name.lower() in _IGNORED else entry for entry in entries]
    indices = _mapping(path, entries, [i if entry.value is None else entry.value for i, entry in enumerate(entries)])
    colored = entries[0].color is not None
    values = _mapping(path, entries, [entry.color or "" for entry in entries]) if colored else indices
    names = sorted(dict.fromkeys(values.values()), key=lambda name: name != BACKGROUND)
    classes = tuple(name for name in names if name != IGNORE)
    # YOLO's settings number the classes of outlines, which masks may count from 1 on.
    stated = colored or (entries[0].value is not None and path.suffix.lower() not in (".yaml", ".yml"))
    return Legend(path, classes, values, indices, stated) if classes else None


def _mapping(path: Path, entries: Sequence[Entry], keys: Sequence[int | str]) -> dict[int | str, str]:
    """Value or colour → class name. Raises DataError where two classes share one."""
    first: dict[int | str, Entry] = {}
    for key, entry in zip(keys, entries, strict=True):
        if first.setdefault(key, entry).name != entry.name:
            raise DataError(
                f"two classes have the same {'colour' if is_color(key) else 'value'}",
                where=f"{printable(path)}: {entry.place}", expected="one of its own for each class",
                found=f"{key} for {entry.name}, and in {first[key].place} for {first[key].name}",
                remedy="correct the file, or say what the values mean with data.classes and data.values",
            )  # fmt: skip
    return {key: entry.name for key, entry in first.items()}


def _require_agreement(chosen: Legend, other: Legend) -> None:
    """Raise DataError where two legends contradict each other.

    Legends of the same kind must have the same class for each value they share. Between colours and values, the names
    must be the same, and beside a mere list of names also their order; whether the background is listed may differ.
    """
    if chosen.stated == other.stated and chosen.is_colored == other.is_colored:
        contradictions = [
            f"{value}: {name} in one, {value}: {other.values[value]} in the other"
            for value, name in chosen.values.items() if other.values.get(value, name) != name
        ]  # fmt: skip
    else:
        orders = [[name for name in legend.names if name != BACKGROUND] for legend in (chosen, other)]
        compared = list(map(sorted, orders)) if chosen.stated and other.stated else orders
        contradictions = [] if compared[0] == compared[1] else [" and ".join(map(", ".join, orders))]
    if contradictions:
        raise DataError(
            f"contradicts {printable(other.path)} on the classes", where=printable(chosen.path),
            expected="the same classes in both", found=contradictions[0],
            remedy=f"say what the values mean with data.classes: [{', '.join(chosen.names)}] and "
            f"data.values: {values_line(chosen.values)}, if {printable(chosen.path.name)} is right",
        )  # fmt: skip
