"""Which groups of layers cost most: the error of the int8 file with each of them in float at a time.

As the accuracy control of NNCF does (``nncf/quantization/algorithms/accuracy_control``): one ranking, worst first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from kseg.card import write_card
from kseg.exporters.conversion import Conversion
from kseg.exporters.ladder.graph import CalibratedGraph
from kseg.inference import load_predictor
from kseg.parallel import Progress

__all__ = ["IMAGES", "GroupError", "Ranking", "rank_groups"]

IMAGES: Final = 16
"""Number of calibration images that the error is measured on."""

Images = npt.NDArray[np.uint8]
Scores = npt.NDArray[np.float32]


@dataclass(frozen=True)
class GroupError:
    """The error of the int8 file if one group stays in float: the root mean square difference of its scores, 0..1."""

    group: str
    error: float


@dataclass(frozen=True)
class Ranking:
    """The groups by what they cost.

    Args:
        error: The error of the int8 file: the root mean square difference of its scores from the model's, 0..1.
        groups: The error with each group in float; the group that helps most comes first.
        images: The number of training images that the errors are means over.
    """

    error: float
    groups: tuple[GroupError, ...]
    images: int

    def to_json(self) -> dict[str, Any]:
        """As plain JSON types."""
        return {
            "error": self.error,
            "error_with_group_in_float": {group.group: group.error for group in self.groups},
            "images": self.images,
        }


def rank_groups(
    graph: CalibratedGraph, conversion: Conversion, folder: Path, on_progress: Progress | None = None
) -> Ranking:
    """Measure the error on calibration images, so that the images that score the artifacts decide nothing here.

    Args:
        graph: The calibrated network.
        conversion: The model, its card and the calibration images.
        folder: Where to write files.
        on_progress: Called with (done, total).

    Raises:
        ArtifactError: The quantiser fails, or LiteRT cannot run its file.
    """
    images = _evenly(conversion.calibration, IMAGES)
    expected = _float_scores(conversion, images)
    errors = []
    for done, groups in enumerate([(), *((group,) for group in graph.groups)], start=1):
        path = folder / "ranking.tflite"
        path.write_bytes(graph.quantised(groups))
        write_card(path, conversion.card)
        errors.append(_error(load_predictor(path).run, images, expected))
        if on_progress:
            on_progress(done, 1 + len(graph.groups))
    pairs = zip(graph.groups, errors[1:], strict=True)
    ranked = sorted((GroupError(group, error) for group, error in pairs), key=lambda pair: pair.error)
    return Ranking(errors[0], tuple(ranked), len(images))


def _evenly(images: Sequence[Images], count: int) -> Images:
    places = np.linspace(0, len(images) - 1, min(count, len(images))).round().astype(int)
    return np.stack([images[place] for place in places])


def _float_scores(conversion: Conversion, images: Images) -> Scores:
    batches = [np.asarray(conversion.model(image[None].astype(np.float32), training=False)) for image in images]
    return np.concatenate(batches)


def _error(run: Callable[[Images], Scores], images: Images, expected: Scores) -> float:
    difference = run(images).astype(np.float64) - expected
    return float(np.sqrt(np.mean(difference**2)))
