"""The gate: which artifacts are still the model that was trained.

::

    foreground IoU     at most --max-iou-drop (0.01) below the reference's; the interval of the drop is reported
    predictions        foreground where the model has some, none where it has none
    scores             of float32 formats equal to the model's to 1e-4
    offset             at most a quarter of a pixel from the model's scores
    gain               within 10 % of the model's scores

The last two are for quantised files, whose scores may differ. On large objects a shift by one pixel costs less IoU than
is allowed, and halved scores of several classes change no argmax; neither is what a quantiser does.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

from kseg.errors import ParityFailure
from kseg.exporters.parity.row import ParityRow

__all__ = ["MAX_IOU_DROP", "MAX_OFFSET", "MAX_SCORE_DIFFERENCE", "MIN_GAIN", "Gate"]

MAX_IOU_DROP: Final = 0.01
MAX_SCORE_DIFFERENCE: Final = 1e-4
MAX_OFFSET: Final = 0.25
"""Pixels of the network's size."""
MIN_GAIN: Final = 0.9
"""Of the gain, and of 1 / gain."""
_CALIBRATED: Final = frozenset({"int8", "int16x8"})
_REMEDY: Final = "use another --format or --quantize, or --force to keep it marked as failed"


@dataclass(frozen=True)
class Gate:
    """The limits of an export.

    Args:
        max_iou_drop: How far the foreground IoU of an artifact may be below the reference's, 0..1.
    """

    max_iou_drop: float = MAX_IOU_DROP

    def judged(self, row: ParityRow) -> ParityRow:
        """The row with the reasons for which it does not pass, the gravest first."""
        return replace(row, reasons=tuple(map(str, self.faults(row))))

    def faults(self, row: ParityRow) -> tuple[ParityFailure, ...]:
        """What keeps an artifact from passing, an error each, the gravest first; empty if it passes."""
        faults = (self._iou_fault(row), _offset_fault(row), _gain_fault(row), _score_fault(row))
        return tuple(fault for fault in faults if fault is not None)

    def _iou_fault(self, row: ParityRow) -> ParityFailure | None:
        if math.isnan(row.iou_drop):
            return _foreground_fault(row)
        if row.iou_drop <= self.max_iou_drop:
            return None
        low, high = row.iou_drop_interval
        return ParityFailure(
            "foreground IoU is too far below the model's", expected=f"a drop of at most {self.max_iou_drop:.4f}",
            found=f"{row.iou_drop:.4f} (95 % interval {low:.4f} to {high:.4f}): {row.iou:.4f} instead of "
            f"{row.reference_iou:.4f}",
            remedy=_iou_remedy(row),
        )  # fmt: skip


def _foreground_fault(row: ParityRow) -> ParityFailure | None:
    """Of an undefined drop: without foreground in truth and prediction, an IoU is NaN."""
    if math.isnan(row.reference_iou) and math.isnan(row.iou):
        return None
    with_it, without = ("the artifact", "the model") if math.isnan(row.reference_iou) else ("the model", "the artifact")
    return ParityFailure(f"{with_it} predicts foreground, {without} predicts none", remedy=_iou_remedy(row))


def _offset_fault(row: ParityRow) -> ParityFailure | None:
    down, right = row.offset
    if math.hypot(down, right) <= MAX_OFFSET:
        return None
    return ParityFailure(
        "the scores are displaced from the model's", expected=f"at most {MAX_OFFSET:g} pixels",
        found=f"{down:+.2f} rows, {right:+.2f} columns", remedy=_REMEDY,
    )  # fmt: skip


def _gain_fault(row: ParityRow) -> ParityFailure | None:
    if math.isnan(row.gain) or MIN_GAIN <= row.gain <= 1 / MIN_GAIN:
        return None
    return ParityFailure(
        "the scores are a multiple of the model's", expected=f"a factor of {MIN_GAIN:.2f} to {1 / MIN_GAIN:.2f}",
        found=f"{row.gain:.2f}", remedy=_REMEDY,
    )  # fmt: skip


def _score_fault(row: ParityRow) -> ParityFailure | None:
    if row.quantization != "none" or not row.max_score_difference > MAX_SCORE_DIFFERENCE:
        return None
    return ParityFailure(
        "the scores of a float32 file differ from the model's", expected=f"at most {MAX_SCORE_DIFFERENCE:g}",
        found=f"{row.max_score_difference:.2g}", remedy=_REMEDY,
    )  # fmt: skip


def _iou_remedy(row: ParityRow) -> str:
    if row.format == "keras":
        return "train it longer, or take the model that it was fine-tuned from"
    if row.quantization == "none":
        return _REMEDY
    better = "use --quantize auto" if row.format == "tflite" else "use --quantize none"
    more = ", more --calibration-images" if row.quantization in _CALIBRATED else ""
    return f"{better}{more}, a larger --max-iou-drop, or --force to keep it marked as failed"
