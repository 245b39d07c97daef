"""Determine the label map of a data set, from its spec or from the values in its masks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from kseg.data.spec import DataSpec
from kseg.errors import DataError, abbreviate
from kseg.images import read_mask
from kseg.labels import BACKGROUND, IGNORE, IGNORE_INDEX, LabelMap, canonical_name
from kseg.parallel import parallel_map

__all__ = ["flat_values", "resolve_label_map"]


_TABLE_SIZE: Final = 65536
_MOST_INFERRED: Final = 64
"""More mask values than this are not classes, but smoothed edges, JPEG noise, or a photograph."""

_FEW: Final = 16
"""Up to this many values are taken for classes, if the number of classes is unknown."""
_NEARLY_ALL: Final = 0.8
"""Fraction of the pixels that flat areas and their shades must cover."""
_AT_ENDS: Final = 0.97
"""Fraction of the pixels that the shades of the smallest and of the largest value must cover to be all there is."""
_OVERSHOOT: Final = 0.005
"""Fraction of the pixels that may lie beyond the shades of the outermost flat values."""
_RARE: Final = 0.001
"""Fraction of the flat areas that a value and its shades must cover to stand for a class."""
_MOST_TRIED: Final = 1000
"""The most frequent values that are tried as classes: masks in JPEG have many thousands of colours."""
_SHADE: Final = 24
"""Values (for colours, each channel) that differ by at most this count as shades of the same value."""

Counts = npt.NDArray[np.int64]


def resolve_label_map(spec: DataSpec, values: Mapping[int | str, str], masks: Sequence[tuple[Path, int]]) -> LabelMap:
    """The label map of a data set; the classes are inferred from the masks if the spec names none.

    Args:
        spec: The data set.
        values: On-disk mask value → class, if the format defines it; else empty, then ``spec.values`` applies.
        masks: The mask files, each with its page, from which to infer the classes.

    Raises:
        ConfigError: Names, values or colours contradict one another.
        DataError: The classes cannot be inferred from the masks.
    """
    classes, meaning = spec.classes, values or spec.values
    if classes is None and meaning:
        names = [name for name in dict.fromkeys(map(canonical_name, meaning.values())) if name != IGNORE]
        # A stable sort: the background comes first, the others keep their order.
        classes = tuple(sorted(names, key=lambda name: name != BACKGROUND))
    elif classes is None and spec.threshold is not None:
        classes = (BACKGROUND, "foreground")
    elif classes is None:
        classes, meaning = _infer(masks)
    return spec.label_map_of(classes, meaning)


def _infer(masks: Sequence[tuple[Path, int]]) -> tuple[tuple[str, ...], dict[int | str, str]]:
    counts = sum(parallel_map(_count_values, masks), np.zeros(_TABLE_SIZE, np.int64))
    values = [int(value) for value in np.flatnonzero(counts)]
    smoothed = len(flat_values(np.array(values), counts[values])) < len(values)
    if smoothed or not 2 <= len(values) <= _MOST_INFERRED:
        raise DataError(
            "the classes cannot be inferred from the masks", expected=f"2 to {_MOST_INFERRED} different values",
            found=f"{len(values)}: {abbreviate(values)}{', as smoothed edges leave them' if smoothed else ''}",
            where="data.classes",
            remedy="name them with data.classes and data.values, e.g. data.values: {0: background, other: object}; "
            "kseg data check shows details",
        )  # fmt: skip
    if len(values) == 2 and values[0] == 0:
        return (BACKGROUND, "foreground"), {0: BACKGROUND, values[1]: "foreground"}
    class_of: dict[int | str, str] = {
        value: IGNORE if value == IGNORE_INDEX and len(values) >= 3 else f"class_{value}" for value in values
    }
    return tuple(name for name in class_of.values() if name != IGNORE), class_of


def _count_values(mask: tuple[Path, int]) -> npt.NDArray[np.int64]:
    """Number of pixels of each value in a mask: int64 ``[65536]``."""
    return np.bincount(read_mask(mask[0], page=mask[1]).ravel(), minlength=_TABLE_SIZE)


def flat_values(
    values: Counts, pixels: Counts, *, flat: Counts | None = None, colored: bool = False, num_classes: int | None = None
) -> list[int]:
    """The values that stand for classes, ascending: all, or only those of the flat areas if edges are smoothed.

    The most frequent value is taken first, then the most frequent one that is no shade of those taken, and so on,
    until nearly all pixels are covered. Where that explains the masks badly, all values are returned.

    Args:
        values: The distinct values, or packed colours, ascending: int64 ``[V]``.
        pixels: Number of pixels of each value: int64 ``[V]``.
        flat: Number of those in flat areas. With it, each value of a flat area is taken, however rare.
        colored: Whether the values are packed colours.
        num_classes: Number of classes, if known.
    """
    all_values = [int(value) for value in values]
    if not colored and _are_ids(all_values):
        return all_values
    few = len(all_values) <= (num_classes + 1 if num_classes else _FEW)
    return (None if few else _peaks(values, pixels, flat, colored, num_classes)) or (
        all_values if colored else _ends(values, pixels) or all_values
    )


def _peaks(
    values: Counts, pixels: Counts, flat: Counts | None, colored: bool, num_classes: int | None
) -> list[int] | None:
    """The values of the flat areas, ascending; None if they explain the masks badly."""
    weights = pixels if flat is None or not flat.any() else flat
    share = weights / max(int(weights.sum()), 1)
    points = _points(values, colored)
    peaks: list[int] = []
    covered = np.zeros(len(values), bool)
    for i in np.argsort(-share, kind="stable")[:_MOST_TRIED]:
        if covered[i]:
            continue
        enough = len(peaks) == num_classes if num_classes else share[covered].sum() >= _NEARLY_ALL
        if (enough and weights is pixels) or len(peaks) > _FEW:
            break
        shades = np.abs(points - points[i]).max(axis=1) <= _SHADE
        if weights is pixels or share[shades & ~covered].sum() >= _RARE:
            peaks.append(int(i))
            covered |= shades
    flat_only = sorted(int(values[i]) for i in peaks)
    explained = 2 <= len(flat_only) <= _FEW and share[covered].sum() >= _NEARLY_ALL
    return flat_only if explained and (colored or _between(values, pixels, flat_only)) else None


def _ends(values: Counts, pixels: Counts) -> list[int] | None:
    """The most frequent values at both ends, if these and the noise of JPEG about them are nearly everything."""
    ends = [values <= values[0] + _SHADE, values >= values[-1] - _SHADE]
    both = ends[0] | ends[1]
    dense = all(2 * end.sum() > values[end][-1] - values[end][0] + 1 for end in ends)
    noisy = len(values) > len(ends) + 1 and max(end.sum() for end in ends) > 1
    if not dense or not noisy or pixels[both].sum() < _AT_ENDS * pixels.sum() or values[-1] - values[0] <= 3 * _SHADE:
        return None
    return [int(values[end][np.argmax(pixels[end])]) for end in ends]


def _are_ids(values: Sequence[int]) -> bool:
    """Whether values, but for 255, are small and dense, as numbers of classes or objects are."""
    numbers = [value for value in values if value != IGNORE_INDEX]
    return bool(numbers) and numbers[-1] < min(2 * len(numbers), _MOST_INFERRED)


def _points(values: Counts, colored: bool) -> Counts:
    """Values as points ``[V, 1]``, packed colours as points ``[V, 3]``."""
    return np.stack([values >> 16, values >> 8 & 255, values & 255], axis=1) if colored else values[:, np.newaxis]


def _between(values: Counts, pixels: Counts, flat: Sequence[int]) -> bool:
    """Whether the flat values are well apart, and nearly all values lie between them, up to JPEG's overshoot."""
    outside = (values < flat[0] - _SHADE) | (values > flat[-1] + _SHADE)
    return bool(flat[-1] - flat[0] > 2 * _SHADE and pixels[outside].sum() <= _OVERSHOOT * pixels.sum())
