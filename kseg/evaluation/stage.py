"""``evaluate``: score a predictor on samples with masks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from kseg.data.dataset import Dataset
from kseg.data.sample import Sample, SplitName
from kseg.data.truth import read_picture, read_truth, truth_name
from kseg.errors import DataError
from kseg.evaluation.counts import count
from kseg.evaluation.scores import ImageScore, Scores
from kseg.evaluation.source import choose_split, load_data
from kseg.inference import PredictionPlan, Predictor, for_threads
from kseg.labels import LabelMap
from kseg.parallel import Progress, parallel_results
from kseg.sizes import format_size

__all__ = ["EvaluationPlan", "OnScores", "check_labels", "evaluate"]

Ids = npt.NDArray[np.uint8]
NativeScores = npt.NDArray[np.float32]
OnScores = Callable[[int, NativeScores], None]
"""Called with the number of a sample, from 0, and its scores float32 ``[h, w, C]`` at the network's size."""


@dataclass(frozen=True)
class EvaluationPlan:
    """A model and the images that score it, checked before a runtime is loaded, which takes seconds.

    Args:
        prediction: The model and the options of its predictions.
        dataset: The images and masks, with the model's classes.
        split: The split to score: ``train``, ``val``, ``test`` or ``all``.
    """

    prediction: PredictionPlan
    dataset: Dataset
    split: SplitName | Literal["all"]

    @classmethod
    def make(
        cls, prediction: PredictionPlan, data: Path | None = None, split: SplitName | Literal["all"] | None = None
    ) -> EvaluationPlan:
        """Find the images, and check that they have the model's classes.

        Args:
            prediction: The model and the options of its predictions.
            data: As in `load_data`; None takes the data of the model's run.
            split: The split to score; None as in `choose_split`.

        Raises:
            UsageError: ``data`` is None and the model is not in a run folder.
            ConfigError, DataError: The data cannot be used, have other classes, or the split is empty.
        """
        dataset = load_data(data, prediction.model)
        check_labels(dataset.labels, prediction.card.labels)
        return cls(prediction, dataset, choose_split(dataset, split))

    def run(self, *, boundary: bool = True, on_progress: Progress | None = None) -> Scores:
        """Load the model and score it, as `evaluate` does. Raises the errors of `PredictionPlan.load`, too."""
        samples = self.dataset.samples(self.split)
        prediction = self.prediction.with_runtime(len(samples))
        predictor = prediction.load(pictures=len(samples))
        scores = evaluate(predictor, samples, self.dataset.labels, boundary=boundary, on_progress=on_progress)
        data = {"data": str(self.dataset.root), "split": self.split}
        return replace(scores, facts={"model": str(self.prediction.model), **data, **prediction.settings()})


def evaluate(
    predictor: Predictor,
    samples: Sequence[Sample],
    labels: LabelMap,
    *,
    boundary: bool = True,
    on_scores: OnScores | None = None,
    on_progress: Progress | None = None,
) -> Scores:
    """Score a predictor against ground truth, each image at its original size.

    Args:
        predictor: The predictor to score.
        samples: Images with masks.
        labels: The meaning of the masks' values; its classes are the predictor's.
        boundary: Also compute boundary scores, which on photographs of 12 megapixels adds half the time; otherwise
            they are NaN.
        on_scores: Called with the number of each sample, from 0 and in their order, and with the predictor's
            `native_scores` of it, which are not kept.
        on_progress: Called with the number of scored images, and their total.

    Raises:
        DataError: There are no samples, or an image or mask cannot be used.
    """
    if not samples:
        raise DataError("there are no images to evaluate on")
    rows: list[ImageScore] = []
    shared = for_threads(predictor)

    def score(sample: Sample) -> tuple[ImageScore, NativeScores]:
        image, truth = _read(sample, labels)
        native = shared.native_scores(image)
        decision = shared.native_decision(native, (truth.shape[0], truth.shape[1]))
        counts = count(truth, decision, labels.num_classes, boundary=boundary)
        return ImageScore(sample.key, counts, labels.foreground), native

    for _, result in parallel_results(score, samples):
        row, native = result()
        rows.append(row)
        if on_scores:
            on_scores(len(rows) - 1, native)
        if on_progress:
            on_progress(len(rows), len(samples))
    return Scores(labels, tuple(rows), predictor.decision_threshold)


def check_labels(data: LabelMap, model: LabelMap) -> None:
    """Check that the data have the model's classes, in the same order. Raises DataError."""
    if data.names != model.names:
        raise DataError(
            "the data have other classes than the model", expected=", ".join(model.names), found=", ".join(data.names),
            remedy="use data with the model's classes, in the same order (data.classes)",
        )  # fmt: skip


def _read(sample: Sample, labels: LabelMap) -> tuple[npt.NDArray[np.uint8], Ids]:
    image, truth = read_picture(sample), read_truth(sample, labels)
    if truth.shape != image.shape[:2]:
        raise DataError(
            "the mask has another size than the image", where=truth_name(sample),
            expected=f"{format_size(image.shape[:2])} (height × width)", found=format_size(truth.shape),
        )  # fmt: skip
    return image, truth
