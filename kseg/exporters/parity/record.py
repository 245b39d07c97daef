"""`PredictionRecord`: what a model predicted for each image of a split, kept small."""

from __future__ import annotations

import math
import shutil
import tempfile
import weakref
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from kseg.data.sample import Sample
from kseg.evaluation import OnScores, Scores, evaluate
from kseg.inference import Predictor
from kseg.labels import LabelMap
from kseg.parallel import Progress

__all__ = ["MAX_SCORE_BYTES", "KeptScores", "PredictionRecord", "record_predictions"]

MAX_SCORE_BYTES: Final = 2**30
"""The model's scores take at most so many bytes of disk while its artifacts are measured."""
_SHARE_OF_DISK: Final = 0.5
"""… and at most this share of what is free in the temporary folder."""

Ids = npt.NDArray[np.uint8]
NativeScores = npt.NDArray[np.float32]


class KeptScores:
    """The scores of images, float32 ``[h, w, C]`` each, in a temporary file that is deleted with this object.

    Where they would take more than ``limit`` bytes, those of evenly spread images are kept.

    Args:
        images: The number of images.
        shape: ``(h, w, C)``.
        limit: The largest size of the file in bytes.
    """

    def __init__(self, images: int, shape: tuple[int, int, int], limit: int = MAX_SCORE_BYTES) -> None:
        self._shape = shape
        self._bytes = math.prod(shape) * np.dtype(np.float32).itemsize
        free = shutil.disk_usage(tempfile.gettempdir()).free
        number = min(images, max(1, int(min(limit, _SHARE_OF_DISK * free)) // self._bytes))
        indices = np.linspace(0, images - 1, number).round().astype(int).tolist()
        self._slots = {index: slot for slot, index in enumerate(indices)}
        self._file = tempfile.TemporaryFile(prefix="kseg-")  # noqa: SIM115, it lives as long as this object
        weakref.finalize(self, self._file.close)
        weakref.finalize(self, self._file.close)

    def __len__(self) -> int:
        return len(self._slots)

    def put(self, index: int, scores: NativeScores) -> None:
        """Keep the scores of an image if it is one of those that are kept."""
        if index in self._slots:
            self._file.seek(self._slots[index] * self._bytes)
            self._file.write(np.ascontiguousarray(scores, np.float32).tobytes())

    def get(self, index: int) -> NativeScores | None:
        """The scores of an image; None if they were not kept."""
        if index not in self._slots:
            return None
        self._file.seek(self._slots[index] * self._bytes)
        return np.frombuffer(self._file.read(self._bytes), np.float32).reshape(self._shape)


@dataclass(frozen=True, eq=False)
class PredictionRecord:
    """What a model predicted for each image of a split.

    Args:
        predictor: The model, which can still be asked.
        scores: Its scores, at the images' original size.
        compressed: The class ids of each image at the network's size, compressed, in the order of the samples.
        kept: Its scores at the network's size; None if they were not kept.
    """

    predictor: Predictor
    scores: Scores
    compressed: tuple[bytes, ...]
    kept: KeptScores | None

    @property
    def matrices(self) -> npt.NDArray[np.int64]:
        """The confusion matrix of each image: int64 ``[N, K, K]``."""
        return np.stack([score.matrix for score in self.scores.per_image])

    def ids(self, index: int) -> Ids:
        """The class ids of an image at the network's size: uint8 ``[h, w]``."""
        card = self.predictor.card
        return np.frombuffer(zlib.decompress(self.compressed[index]), np.uint8).reshape(card.height, card.width)


def record_predictions(
    predictor: Predictor,
    samples: Sequence[Sample],
    labels: LabelMap,
    *,
    keep_scores: bool = False,
    observe: OnScores | None = None,
    on_progress: Progress | None = None,
) -> PredictionRecord:
    """Predict and score each image once, and record what was predicted.

    Args:
        predictor: The model.
        samples: The images and masks that score it.
        labels: The classes.
        keep_scores: Keep the scores at the network's size, in a temporary file of at most `MAX_SCORE_BYTES`.
        observe: Called with the scores of each image, which are not kept in memory.
        on_progress: Called with the number of scored images, and their total.

    Raises:
        DataError: An image or mask cannot be used.
    """
    card = predictor.card
    kept = KeptScores(len(samples), (card.height, card.width, card.channels)) if keep_scores else None
    compressed: list[bytes] = []

    def record(index: int, scores: NativeScores) -> None:
        compressed.append(zlib.compress(card.class_ids(scores).tobytes(), 1))
        if kept is not None:
            kept.put(index, scores)
        if observe is not None:
            observe(index, scores)

    scores = evaluate(predictor, samples, labels, boundary=False, on_scores=record, on_progress=on_progress)
    return PredictionRecord(predictor, scores, tuple(compressed), kept)
