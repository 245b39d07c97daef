"""`ParityRow`: the size and the scores of one artifact on one runtime, beside those of the model."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from kseg.evaluation.bootstrap import Interval

__all__ = ["ClassDrop", "ParityRow", "plain"]


@dataclass(frozen=True)
class ClassDrop:
    """How far the IoU of a class is below the reference's.

    Args:
        name: The class.
        iou: Its IoU over the data set, 0..1; NaN if neither ground truth nor predictions have it.
        drop: The reference's IoU minus this one; negative if the artifact is better.
        interval: The drop's 95 % interval, paired over the images.
    """

    name: str
    iou: float
    drop: float
    interval: Interval


@dataclass(frozen=True)
class ParityRow:
    """The size and the scores of an artifact on a runtime, over the whole set and at the images' original size.

    Args:
        file: Its name in the export folder.
        format: ``keras``, ``saved_model``, ``tflite``, ``onnx`` or ``openvino``.
        quantization: ``none`` (float32), ``int8`` …
        runtime: What ran it: ``keras``, ``saved_model``, ``litert``, ``onnxruntime`` or ``openvino``.
        bytes: Its size on disk; of a folder, the sum over its files.
        iou: Foreground IoU over the data set, 0..1; NaN if neither ground truth nor predictions have foreground.
        mean_iou: IoU over the data set, the mean of all classes, the background included.
        pixel_accuracy: The share of the pixels of known class whose class is right.
        calibration_error: The expected calibration error, 0..1.
        reference_iou: The foreground IoU of the reference: the exported model, unless another one is named.
        iou_drop_interval: The 95 % interval of `iou_drop`, by a paired bootstrap over the images.
        classes: The same of each class.
        changed: The share of pixels, at the network's size, whose class differs from the exported model's.
        max_score_difference: The largest difference of a score from the exported model's, at the network's size.
        offset: By how many pixels the scores are displaced from the model's: rows down, columns right.
        gain: The factor between the scores and the model's; 1 where they agree.
        compared_images: The number of images whose scores were compared, for the last three.
        reasons: Why it does not pass; empty if it passes.
    """

    file: str
    format: str
    quantization: str
    runtime: str
    bytes: int
    iou: float
    mean_iou: float
    pixel_accuracy: float
    calibration_error: float
    reference_iou: float
    iou_drop_interval: Interval
    classes: tuple[ClassDrop, ...]
    changed: float
    max_score_difference: float
    offset: tuple[float, float]
    gain: float
    compared_images: int
    reasons: tuple[str, ...] = ()

    @property
    def iou_drop(self) -> float:
        """The reference's foreground IoU minus this one; negative if the artifact is better, NaN if undefined."""
        return self.reference_iou - self.iou

    @property
    def passed(self) -> bool:
        """Whether the artifact is still the model, by the rules of `kseg.exporters.parity.gate`."""
        return not self.reasons

    def to_json(self) -> dict[str, Any]:
        """As plain JSON types, with null for NaN."""
        facts: dict[str, Any] = plain({**asdict(self), "iou_drop": self.iou_drop, "passed": self.passed})
        return facts

    def to_card(self, *, images: int, split: str) -> dict[str, Any]:
        """The result as it stands in the artifact's card: plain JSON types, with null for NaN."""
        facts: dict[str, Any] = plain(
            {
                "passed": self.passed,
                "iou": self.iou,
                "iou_drop": self.iou_drop,
                "interval": self.iou_drop_interval,
                "max_score_difference": self.max_score_difference,
                "pixels_changed": self.changed,
                "calibration_error": self.calibration_error,
                "images": images,
                "split": split,
                "reasons": self.reasons,
            }
        )
        return facts


def plain(value: Any) -> Any:
    """A value of dicts, lists, tuples, texts and numbers as JSON types, with null for NaN."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value
