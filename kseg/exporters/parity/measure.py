"""Parity: every exported artifact is scored on the same images as the Keras model."""

from __future__ import annotations

import hashlib
import math
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from kseg.data.sample import Sample
from kseg.evaluation import evaluate
from kseg.inference import Predictor, load_predictor
from kseg.labels import LabelMap
from kseg.parallel import Progress

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["MAX_DROP", "ParityRow", "PredictionRecord", "measure", "parity_markdown", "parity_table", "warning_for"]

MAX_DROP = 0.01
"""An artifact whose foreground IoU is lower than the Keras model's by more than this gets a warning."""


@dataclass(frozen=True)
class ParityRow:
    """The size and the scores of an artifact.

    Args:
        file: Its name in the export folder.
        format: ``keras``, ``saved_model``, ``tflite`` or ``onnx``.
        quantization: ``none`` (float32) or ``int8``.
        bytes: Its size on disk; of a folder, the sum over its files.
        iou: Foreground IoU over the data set, 0..1; NaN if neither ground truth nor predictions have foreground.
        mean_iou: IoU over the data set, the mean of all classes, the background included.
        pixel_accuracy: The share of the pixels of known class whose class is right.
        changed: The share of pixels, at the network's size, whose class differs from the Keras model's.
    """

    file: str
    format: str
    quantization: str
    bytes: int
    iou: float
    mean_iou: float
    pixel_accuracy: float
    changed: float

    def to_json(self) -> dict[str, Any]:
        """As plain JSON types, with null for NaN."""
        return {k: None if isinstance(v, float) and math.isnan(v) else v for k, v in asdict(self).items()}


class PredictionRecord:
    """Records the class ids that a predictor gives to each image.

    Images are identified by a hash of their pixels, so their order does not matter. The class ids are stored
    compressed, so that a test set of thousands fits into memory.

    Args:
        predictor: The predictor to record.
    """

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor
        self._ids: dict[bytes, bytes] = {}

    def recording_predictor(self) -> Predictor:
        """The predictor, whose predictions are recorded from now on."""
        return Predictor(self._run, self._predictor.card)

    def _run(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        scores = self._predictor.run(images)
        for image, score in zip(images, scores, strict=True):
            ids = self._predictor.card.class_ids(score)
            self._ids[hashlib.sha256(image.tobytes()).digest()] = zlib.compress(ids.tobytes(), 1)
        return scores

    def changed(self, other: PredictionRecord) -> float:
        """The share of pixels whose class differs between the records; NaN if they have no image in common."""
        differing = total = 0
        for key in self._ids.keys() & other._ids.keys():
            ours, theirs = (np.frombuffer(zlib.decompress(ids[key]), np.uint8) for ids in (self._ids, other._ids))
            differing += int(np.count_nonzero(ours != theirs))
            total += ours.size
        return differing / total if total else math.nan


def measure(
    path: Path,
    samples: Sequence[Sample],
    labels: LabelMap,
    *,
    file: str,
    format: str,
    quantization: str,
    reference: PredictionRecord | None,
    on_progress: Progress | None = None,
) -> tuple[ParityRow, PredictionRecord]:
    """Load an artifact as a user would, score it, and compare its predictions with the reference's.

    Args:
        path: The artifact.
        samples: The images and masks that score it.
        labels: The classes.
        file: Its name, for the row; so are ``format`` and ``quantization``.
        reference: The predictions of the Keras model; None if this is the Keras model.
        on_progress: Called with the number of scored images, and their total.

    Returns:
        The row of the table, and the predictions.

    Raises:
        ArtifactError: The artifact cannot be loaded.
        DataError: A test image or mask cannot be used.
    """
    record = PredictionRecord(load_predictor(path))
    scores = evaluate(record.recording_predictor(), samples, labels, boundary=False, on_progress=on_progress)
    row = ParityRow(
        file=file,
        format=format,
        quantization=quantization,
        bytes=_size(path),
        iou=scores.iou,
        mean_iou=scores.mean_iou,
        pixel_accuracy=scores.pixel_accuracy,
        changed=record.changed(reference or record),
    )
    return row, record


def _size(path: Path) -> int:
    return sum(f.stat().st_size for f in path.rglob("*") if f.is_file()) if path.is_dir() else path.stat().st_size


def warning_for(row: ParityRow, reference: ParityRow) -> str | None:
    """A warning if the artifact is worse than the Keras model by more than `MAX_DROP`; else None."""
    drop = reference.iou - row.iou
    if math.isnan(row.iou) != math.isnan(reference.iou):
        models = [row.file, "the Keras model"]
        some, none = models if math.isnan(reference.iou) else reversed(models)
        return f"{some} predicts foreground, {none} predicts none"
    if not drop > MAX_DROP:
        return None
    remedy = "; try more --calibration-images, or use the float32 file" if row.quantization != "none" else ""
    return (
        f"{row.file}: foreground IoU {row.iou:.4f} is {100 * drop:.1f} points below "
        f"the Keras model's {reference.iou:.4f}{remedy}"
    )


def parity_markdown(rows: Sequence[ParityRow], *, images: int, split: str) -> str:
    """The rows as a Markdown table, the Keras model's first."""
    lines = [
        f"Scores on the {images} images of the {split} split, at their original size, over the whole set;",
        "pixels changed: the share whose class differs from the Keras model's, at the network's size.",
        "",
        "| artifact | size (MB) | foreground IoU | change | mean IoU | pixel accuracy | pixels changed |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [f"| {' | '.join(_cells(row, rows[0]))} |" for row in rows]
    return "\n".join(lines) + "\n"


def parity_table(rows: Sequence[ParityRow], split: str) -> Table:
    """The rows as a table for the terminal and notebooks, the Keras model's first."""
    from rich import box
    from rich.table import Table

    caption = f"Scores over the {split} split at original size; pixels changed: class differs from the Keras model's."
    table = Table(box=box.SIMPLE_HEAD, caption=caption, caption_justify="left")
    table.add_column("artifact", no_wrap=True)
    for heading in ("MB", "fg IoU", "change", "mean IoU", "pixel acc.", "pixels changed"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*_cells(row, rows[0]))
    return table


def _cells(row: ParityRow, reference: ParityRow) -> tuple[str, ...]:
    return (
        row.file, f"{row.bytes / 1e6:.2f}", f"{row.iou:.4f}", f"{row.iou - reference.iou:+.4f}",
        f"{row.mean_iou:.4f}", f"{row.pixel_accuracy:.4f}", f"{100 * row.changed:.3f} %",
    )  # fmt: skip
