"""`Predictor`: from a picture of any size to scores or class ids of that size, independent of the runtime."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from kseg.card import ModelCard
from kseg.errors import ArtifactError
from kseg.images import resize_image, resize_scores
from kseg.inference.regions import drop_small_regions
from kseg.inference.windows import zoomed_scores
from kseg.sizes import Size

__all__ = ["Decision", "Predictor", "Run", "with_flip"]

Pixels = npt.NDArray[np.uint8]
Scores = npt.NDArray[np.float32]
Ids = npt.NDArray[np.uint8]

Run = Callable[[Pixels], Scores]
"""uint8 ``[B, h, w, 3]`` → float32 ``[B, h, w, C]`` in 0..1, at the network's own size."""


def with_flip(run: Run) -> Run:
    """Test-time augmentation by a horizontal flip: the mean of the scores of an image and of its mirror image.

    It takes twice the time, and helps networks that saw mirror images in training.
    """

    def mean_of_both(images: Pixels) -> Scores:
        flipped: Scores = run(np.ascontiguousarray(images[:, :, ::-1]))[:, :, ::-1]
        mean: Scores = (run(images) + flipped) / np.float32(2)
        return mean

    return mean_of_both


@dataclass(frozen=True, eq=False)
class Decision:
    """The predicted classes of an image, with their confidence.

    Args:
        ids: The predicted class of each pixel, as `Predictor.predict` returns it: uint8 ``[H, W]``.
        likeliest: The class of the highest probability: uint8 ``[H, W]``. It differs from ``ids`` only because of a
            threshold other than 0.5, or where a region was too small.
        confidence: The probability of ``likeliest``: float32 ``[H, W]``.
    """

    ids: Ids
    likeliest: Ids
    confidence: npt.NDArray[np.float32]


@dataclass(frozen=True)
class Predictor:
    """Predicts pictures of any size; evaluation, export, benchmark and `kseg predict` all use it.

    Args:
        run: The network, as a plain function on a batch of its own size.
        card: What the network expects and returns.
        min_area: Class id → the smallest area of its regions, in pixels of the picture; smaller regions get the
            classes around them (`drop_small_regions`).
        zoom: Above 1, the picture is also predicted enlarged by this factor, in windows (`zoomed_scores`).
        threshold: Pixels with at least this score are foreground (binary models); None takes the card's.

    Example:

    >>> from kseg.labels import LabelMap
    >>> card = ModelCard("bright", "none", 2, 2, LabelMap(("background", "bright")))
    >>> bright = Predictor(lambda images: (images[..., :1] / 255).astype(np.float32), card)
    >>> bright.predict(np.array([[[255, 0, 0], [9, 0, 0]]], np.uint8)).tolist()
    [[1, 0]]
    """

    run: Run
    card: ModelCard
    min_area: Mapping[int, int] = field(default_factory=dict)
    zoom: float = 1.0
    threshold: float | None = None

    @property
    def decision_threshold(self) -> float | None:
        """Pixels with at least this score are foreground; None for models whose highest score wins."""
        if self.card.channels > 1:
            return None
        return self.card.threshold if self.threshold is None else self.threshold

    def scores(self, image: Pixels) -> Scores:
        """The scores of each pixel.

        Args:
            image: RGB uint8 ``[H, W, 3]`` of any size.

        Returns:
            float32 ``[H, W, C]`` in 0..1, resized to the image's own size.

        Raises:
            ArtifactError: The network returns scores of another shape or type than its card says, or NaN.
        """
        return resize_scores(self.native_scores(image), _size(image))

    def predict(self, image: Pixels) -> Ids:
        """The class of each pixel. The scores are resized before the threshold or argmax.

        Args:
            image: RGB uint8 ``[H, W, 3]`` of any size.

        Returns:
            Class ids uint8 ``[H, W]``.

        Raises:
            ArtifactError: As `scores`.
        """
        return self.native_ids(self.native_scores(image), _size(image))

    def native_ids(self, native: Scores, size: Size) -> Ids:
        """The result of `predict`, from the `native_scores` of an image of this height and width."""
        if self.card.channels == 1:
            return self.ids(resize_scores(native, size))
        return drop_small_regions(_best_class(native, size)[0], self.min_area)

    def decide(self, image: Pixels) -> Decision:
        """As `predict`, with the confidence; the network runs once.

        Args:
            image: RGB uint8 ``[H, W, 3]`` of any size.

        Raises:
            ArtifactError: As `scores`.
        """
        return self.native_decision(self.native_scores(image), _size(image))

    def native_decision(self, native: Scores, size: Size) -> Decision:
        """The result of `decide`, from the `native_scores` of an image of this height and width."""
        if self.card.channels > 1:
            ids, confidence = _best_class(native, size)
            return Decision(drop_small_regions(ids, self.min_area), ids, confidence)
        scores = resize_scores(native, size)
        likeliest = self.card.class_ids(scores, 0.5)
        return Decision(self.ids(scores), likeliest, np.maximum(scores[..., 0], 1 - scores[..., 0]))

    def ids(self, scores: Scores) -> Ids:
        """The result of `predict`, from the `scores` of an image: float32 ``[H, W, C]`` → uint8 ``[H, W]``."""
        return drop_small_regions(self.card.class_ids(scores, self.threshold), self.min_area)

    def native_scores(self, image: Pixels) -> Scores:
        """The scores before they are resized to the picture: float32 ``[h, w, C]``.

        Their size is the network's, times `zoom`.

        Raises:
            ArtifactError: As `scores`.
            ValueError: The image is not RGB uint8 ``[H, W, 3]``.
        """
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
            raise ValueError(f"expected an RGB image uint8 [H, W, 3], found {image.dtype} {list(image.shape)}")
        size = (self.card.height, self.card.width)
        if self.zoom > 1:
            return zoomed_scores(self._run_on, image, size, self.zoom)
        return self._run_on(resize_image(image, size))

    def _run_on(self, image: Pixels) -> Scores:
        """Run the network on an image of its size: uint8 ``[h, w, 3]`` → float32 ``[h, w, C]``."""
        card = self.card
        scores = self.run(np.ascontiguousarray(image[None]))
        expected = (1, card.height, card.width, card.channels)
        if scores.shape != expected or scores.dtype != np.float32:
            raise ArtifactError(
                "the network contradicts its card", where=card.name, expected=f"float32 {list(expected)}",
                found=f"{scores.dtype} {list(scores.shape)}",
            )  # fmt: skip
        if not np.isfinite(scores).all():
            # NaN is below every threshold, so it would silently become background.
            raise ArtifactError(
                "the network returns NaN or infinite scores",
                where=card.name,
                remedy="take weights of another epoch or run",
            )
        result: Scores = scores[0]
        return result


def _size(image: npt.NDArray[Any]) -> Size:
    return int(image.shape[0]), int(image.shape[1])


def _best_class(native: Scores, size: Size) -> tuple[Ids, npt.NDArray[np.float32]]:
    """The argmax of the resized scores over the classes, and their maximum.

    One class at a time: the resized scores of 20 classes of a 12-megapixel photo would take a GB.
    """
    best = resize_scores(native[..., :1], size)[..., 0].copy()
    ids = np.zeros(size, np.uint8)
    for k in range(1, native.shape[2]):
        plane = resize_scores(np.ascontiguousarray(native[..., k : k + 1]), size)[..., 0]
        ids[plane > best] = k
        np.maximum(best, plane, out=best)
    return ids, best
