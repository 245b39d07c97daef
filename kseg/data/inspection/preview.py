"""Show what mask values stand for: a few pictures, each once for every value, with the region of the value lit up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from kseg.data.inspection.survey import MaskFacts, SampleFacts
from kseg.data.sample import Sample
from kseg.data.truth import read_values
from kseg.drawing import fit, grid, headed, spotlight
from kseg.images import printable, read_image
from kseg.labels import is_color, pack_color, parse_color

__all__ = ["draw_preview", "pick_samples"]

Image = npt.NDArray[np.uint8]

_MOST_SAMPLES: Final = 3
_MOST_VALUES: Final = 12
_PER_LINE: Final = 6
"""Values beside a picture; more are wrapped, so that the sheet fits a screen."""
_TILE: Final = (320, 240)
"""Largest height and width of a picture."""
_GREY: Final = 0x010101
"""Times a value: that grey as a packed colour."""
_CLEAR: Final = 0.05
"""A larger share of a picture shows no better what a value is."""


def pick_samples(facts: Sequence[SampleFacts], values: Sequence[int | str], count: int = _MOST_SAMPLES) -> list[Sample]:
    """Choose samples that together show as many of the values as possible, and each value in a clear size.

    Greedy: the next sample is the one that shows most of the values not seen yet; where all are seen, or the rest
    occurs nowhere, most of all values again.

    Args:
        facts: The samples with their masks' values; those whose image or mask cannot be read are not chosen.
        values: Mask values, or colours ``#rrggbb``; the first 12 count, which `draw_preview` draws.
        count: Largest number of samples.
    """
    values = values[:_MOST_VALUES]
    shares = {
        entry.sample: _shares(entry.mask, values)
        for entry in facts if entry.mask is not None and entry.image is not None
    }  # fmt: skip
    chosen: list[Sample] = []
    unseen = set(values)
    while shares and len(chosen) < count:
        if not any(unseen & occurring.keys() for occurring in shares.values()):
            unseen = set(values)
        best = max(shares, key=lambda sample: _gain(shares[sample], unseen))
        unseen -= shares.pop(best).keys()
        chosen.append(best)
    return chosen


def _shares(mask: MaskFacts, values: Sequence[int | str]) -> dict[int | str, float]:
    """The share of each value that occurs in a mask."""
    shares = dict(zip(mask.values.tolist(), (mask.pixels / mask.pixels.sum()).tolist(), strict=True))

    def share(value: int | str) -> float:
        if isinstance(value, str):
            packed = pack_color(value)
            key = packed if mask.colored else packed // _GREY if packed % _GREY == 0 else None
        else:
            key = None if mask.colored else value
        return float(shares.get(key, 0.0))

    return {value: share(value) for value in values if share(value) > 0}


def _gain(shares: Mapping[int | str, float], unseen: set[int | str]) -> tuple[int, float]:
    """How many new values a sample shows, and how clearly."""
    new = [share for value, share in shares.items() if value in unseen]
    return len(new), sum(min(share, _CLEAR) for share in new)


def draw_preview(samples: Sequence[Sample], values: Sequence[int | str]) -> Image:
    """Draw a row per sample: the picture, then for each value the picture in dark grey with that region lit up.

    Args:
        samples: One to three samples with masks; more are left out. `pick_samples` chooses good ones.
        values: Mask values, or colours ``#rrggbb``; the first 12 are drawn, and the number of the others is written.

    Returns:
        RGB uint8 ``[H, W, 3]`` on white, at most 1712 pixels wide.

    Raises:
        DataError: An image or a mask cannot be read.
    """
    drawn = values[:_MOST_VALUES]
    lines = -(-len(drawn) // _PER_LINE) or 1
    columns = 1 + -(-len(drawn) // lines)
    rows = [row for sample in samples[:_MOST_SAMPLES] for row in _rows(sample, drawn, columns)]
    sheet = np.vstack(rows)
    hidden = len(values) - len(drawn)
    note = f", {hidden} more {'values are' if hidden > 1 else 'value is'} not shown" if hidden else ""
    return headed(sheet, f"Where each mask value occurs, and its share of the picture{note}")


def _rows(sample: Sample, values: Sequence[int | str], columns: int) -> list[Image]:
    """The lines of a sample, each with the picture and ``columns`` - 1 values."""
    image = read_image(sample.image)
    masks = {colored: read_values(sample, colors=colored) for colored in set(map(is_color, values))}
    small = fit(image, _TILE)
    first = headed(_framed(small), printable(sample.key))
    cells = [_cell(small, masks[is_color(value)], value) for value in values]
    lines = [cells[start : start + columns - 1] for start in range(0, max(len(cells), 1), columns - 1 or 1)]
    blank = np.full_like(first, 255)
    return [grid([first, *line, *[blank] * (columns - 1 - len(line))], columns) for line in lines]


def _framed(picture: Image) -> Image:
    """A picture centred in the width of a tile, on white."""
    spare = _TILE[1] - picture.shape[1]
    return np.pad(picture, ((0, 0), (spare // 2, spare - spare // 2), (0, 0)), constant_values=255)


def _cell(picture: Image, mask: npt.NDArray[Any], value: int | str) -> Image:
    region = mask == (pack_color(value) if isinstance(value, str) else value)
    swatch = parse_color(value) if isinstance(value, str) else None
    lit = spotlight(picture, _shrunk(region, (picture.shape[0], picture.shape[1])))
    return headed(_framed(lit), f"{value}: {_share(region)}", swatch)


def _shrunk(region: npt.NDArray[np.bool_], size: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """A region scaled to a size: where it covers half of a pixel, or of what is tiny, the most that it covers."""
    coverage = cv2.resize(region.astype(np.float32), size[::-1], interpolation=cv2.INTER_AREA)
    shrunk: npt.NDArray[np.bool_] = coverage >= max(min(0.5, float(coverage.max())), 1e-6)
    return shrunk


def _share(region: npt.NDArray[np.bool_]) -> str:
    percent = 100 * float(region.mean())
    if percent == 0:
        return "not in this picture"
    return f"{percent:.1f} %" if percent >= 0.1 else "under 0.1 %"
