"""``evaluate``: a predictor and samples with masks in, `Scores` out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from kseg.data import Sample, read_truth, truth_name
from kseg.errors import DataError
from kseg.evaluation.counts import count
from kseg.evaluation.scores import ImageScore, Scores
from kseg.images import read_image
from kseg.inference import Predictor, ahead, check_threshold
from kseg.labels import LabelMap

__all__ = ["check_labels", "evaluate"]

Ids = npt.NDArray[np.uint8]


def evaluate(
    predictor: Predictor,
    samples: Sequence[Sample],
    labels: LabelMap,
    *,
    threshold: float | None = None,
    boundary: bool = True,
    on_progress: Callable[[int, int], None] | None = None,
) -> Scores:
    """Score a predictor against true masks, each image at its original size.

    Args:
        predictor: What is scored.
        samples: Images with masks.
        labels: What the masks' values mean; its classes are the model's.
        threshold: The score from which on a pixel is foreground (binary models); the model's own by default.
        boundary: Score outlines too, which takes half as long as the rest on photographs of 12 megapixels; without,
            the boundary scores are NaN.
        on_progress: Called with the images done and in all.

    Raises:
        UsageError: The threshold means nothing.
        DataError: There are no samples, the classes are not the model's, or an image or mask cannot be used.
    """
    card = predictor.card
    check_threshold(card, threshold)
    check_labels(labels, card.labels)
    if not samples:
        raise DataError("there are no images to evaluate on")
    rows: list[ImageScore] = []
    for sample, pair_of in ahead(lambda sample: _read(sample, labels), samples):
        image, truth = pair_of()
        counts = count(truth, predictor.decide(image, threshold), labels.num_classes, boundary=boundary)
        rows.append(ImageScore(sample.key, counts, labels.foreground))
        if on_progress:
            on_progress(len(rows), len(samples))
    used = (card.threshold if threshold is None else threshold) if card.channels == 1 else None
    return Scores(labels, tuple(rows), used)


def check_labels(data: LabelMap, model: LabelMap) -> None:
    """See that the data have the model's classes, in its order. Raises DataError."""
    if data.names != model.names:
        raise DataError(
            "the data have other classes than the model", expected=", ".join(model.names), found=", ".join(data.names),
            remedy="evaluate on data with the model's classes, in its order (data.classes)",
        )  # fmt: skip


def _read(sample: Sample, labels: LabelMap) -> tuple[npt.NDArray[np.uint8], Ids]:
    image, truth = read_image(sample.image), read_truth(sample, labels)
    if truth.shape != image.shape[:2]:
        raise DataError(
            "the mask is not of the image's size", where=truth_name(sample), expected=_size(image), found=_size(truth),
        )  # fmt: skip
    return image, truth


def _size(array: npt.NDArray[Any]) -> str:
    return f"{array.shape[0]} × {array.shape[1]} (height × width)"
