"""The LabelMap of a data set, from what the configuration says or from what the masks hold."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from kseg.data.parallel import parallel_map
from kseg.data.suggest import flat_values
from kseg.errors import ConfigError, DataError, some
from kseg.images import read_mask
from kseg.labels import IGNORE, IGNORE_INDEX, Color, LabelMap, Match, values_line

__all__ = ["make_labels"]

_log = logging.getLogger("kseg")

_TABLE_SIZE: Final = 65536
_MOST_INFERRED: Final = 64
"""More mask values than this are no classes but smoothed edges, JPEG noise, or a picture."""


def make_labels(
    classes: Sequence[str] | None,
    values: Mapping[int | str, str] | None,
    colors: Sequence[str] | None,
    masks: Sequence[Path],
    *,
    match: Match = "exact",
    threshold: int | None = None,
) -> LabelMap:
    """The label map that the configuration says, completed from the masks where it names no classes.

    Raises:
        ConfigError: Names, values or colours contradict one another.
        DataError: The classes cannot be told from the masks.
    """
    if classes is None and values:
        names = [str(name) for name in dict.fromkeys(values.values()) if name != IGNORE]
        classes = sorted(names, key=lambda name: name != "background")  # stable: the background first, if there is one
    elif classes is None and threshold is not None:
        classes = ["background", "foreground"]
    elif classes is None:
        classes, values = _infer(masks)
        _log.info("classes told from the masks: data.values: %s", values_line(values))
    shown = tuple(_color(text) for text in colors or ())
    return LabelMap(tuple(classes), dict(values or {}), shown, match, threshold)


def _infer(masks: Sequence[Path]) -> tuple[list[str], dict[int | str, str]]:
    counts = sum(parallel_map(_count_values, masks), np.zeros(_TABLE_SIZE, np.int64))
    found = [int(value) for value in np.flatnonzero(counts)]
    smoothed = len(flat_values(np.array(found), counts[found])) < len(found)
    if smoothed or not 2 <= len(found) <= _MOST_INFERRED:
        raise DataError(
            "the classes cannot be told from the masks", expected=f"2 to {_MOST_INFERRED} different values",
            found=f"{len(found)}: {some(found)}{', as smoothed edges leave them' if smoothed else ''}",
            where="data.classes",
            remedy="name them with data.classes and data.values, e.g. data.values: {0: background, other: object}; "
            "kseg data check tells more",
        )  # fmt: skip
    if len(found) == 2 and found[0] == 0:
        return ["background", "foreground"], {0: "background", found[1]: "foreground"}
    named: dict[int | str, str] = {
        value: IGNORE if value == IGNORE_INDEX and len(found) >= 3 else f"class_{value}" for value in found
    }
    return [name for name in named.values() if name != IGNORE], named


def _count_values(path: Path) -> npt.NDArray[np.int64]:
    """How many pixels have each value: int64 ``[65536]``."""
    return np.bincount(read_mask(path).ravel(), minlength=_TABLE_SIZE)


def _color(text: str) -> Color:
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", text):
        raise ConfigError("not a colour", where="data.colors", expected="'#rrggbb'", found=repr(text))
    return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)
