"""The label map of a data set, from what its description says or from what its masks hold."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from kseg.data.spec import DataSpec
from kseg.errors import DataError, abbreviate
from kseg.images import read_mask
from kseg.labels import IGNORE, IGNORE_INDEX, LabelMap, values_line
from kseg.parallel import parallel_map

__all__ = ["flat_values", "resolve_label_map"]

_log = logging.getLogger("kseg")

_TABLE_SIZE: Final = 65536
_MOST_INFERRED: Final = 64
"""More mask values than this are no classes but smoothed edges, JPEG noise, or a picture."""

_FEW: Final = 16
"""Where nobody says how many classes there are: as many values are taken for one class each."""
_NEARLY_ALL: Final = 0.8
"""Of the pixels, those in flat areas and the nearest shades of them."""
_SHADE: Final = 24
"""Values, or colours in each channel, that differ by no more than this may be shades of one."""

Counts = npt.NDArray[np.int64]


def resolve_label_map(spec: DataSpec, values: Mapping[int | str, str], masks: Sequence[Path]) -> LabelMap:
    """The label map that a data set's description says, completed from the masks where it names no classes.

    Args:
        spec: The description.
        values: On-disk mask value → class, where the data set's format says so; else empty, and the description's own
            hold.
        masks: The files to infer the classes from.

    Raises:
        ConfigError: Names, values or colours contradict one another.
        DataError: The classes cannot be told from the masks.
    """
    classes, meaning = spec.classes, values or spec.values
    if classes is None and meaning:
        names = [str(name) for name in dict.fromkeys(meaning.values()) if name != IGNORE]
        # Stable: the background first, if there is one.
        classes = tuple(sorted(names, key=lambda name: name != "background"))
    elif classes is None and spec.threshold is not None:
        classes = ("background", "foreground")
    elif classes is None:
        classes, meaning = _infer(masks)
        _log.info("classes told from the masks: data.values: %s", values_line(meaning))
    return spec.label_map_of(classes, meaning)


def _infer(masks: Sequence[Path]) -> tuple[tuple[str, ...], dict[int | str, str]]:
    counts = sum(parallel_map(_count_values, masks), np.zeros(_TABLE_SIZE, np.int64))
    found = [int(value) for value in np.flatnonzero(counts)]
    smoothed = len(flat_values(np.array(found), counts[found])) < len(found)
    if smoothed or not 2 <= len(found) <= _MOST_INFERRED:
        raise DataError(
            "the classes cannot be told from the masks", expected=f"2 to {_MOST_INFERRED} different values",
            found=f"{len(found)}: {abbreviate(found)}{', as smoothed edges leave them' if smoothed else ''}",
            where="data.classes",
            remedy="name them with data.classes and data.values, e.g. data.values: {0: background, other: object}; "
            "kseg data check tells more",
        )  # fmt: skip
    if len(found) == 2 and found[0] == 0:
        return ("background", "foreground"), {0: "background", found[1]: "foreground"}
    named: dict[int | str, str] = {
        value: IGNORE if value == IGNORE_INDEX and len(found) >= 3 else f"class_{value}" for value in found
    }
    return tuple(name for name in named.values() if name != IGNORE), named


def _count_values(path: Path) -> npt.NDArray[np.int64]:
    """How many pixels have each value: int64 ``[65536]``."""
    return np.bincount(read_mask(path).ravel(), minlength=_TABLE_SIZE)


def flat_values(values: Counts, pixels: Counts, *, colored: bool = False, wanted: int | None = None) -> list[int]:
    """The values that are meant, ascending: all, or where edges are smoothed those of the flat areas.

    Args:
        values: The different values, or packed colours, ascending.
        pixels: How many pixels have each.
        colored: They are colours.
        wanted: How many classes there are, if that is known.
    """
    every = [int(value) for value in values]
    if len(every) <= (wanted + 1 if wanted else _FEW):
        return every
    share = pixels / max(int(pixels.sum()), 1)
    points = _points(values, colored)
    flat: list[int] = []
    near = np.zeros(len(values), bool)
    for i in np.argsort(-share, kind="stable"):
        if len(flat) == wanted or (wanted is None and share[near].sum() >= _NEARLY_ALL):
            break
        if not near[i]:
            flat.append(int(i))
            near |= np.abs(points - points[i]).max(axis=1) <= _SHADE
    meant = sorted(every[i] for i in flat)
    between = colored or _between(every, meant)
    return meant if 2 <= len(meant) <= _FEW and share[near].sum() >= _NEARLY_ALL and between else every


def _points(values: Counts, colored: bool) -> Counts:
    """Values as coordinates ``[V, 1]``, colours as ``[V, 3]``."""
    return np.stack([values >> 16, values >> 8 & 255, values & 255], axis=1) if colored else values[:, np.newaxis]


def _between(every: Sequence[int], flat: Sequence[int]) -> bool:
    """Whether all values are shades between those of the flat areas, which lie well apart; JPEG overshoots a little."""
    apart = flat[-1] - flat[0] > 2 * _SHADE
    return apart and every[0] >= flat[0] - _SHADE and every[-1] <= flat[-1] + _SHADE
