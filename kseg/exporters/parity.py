"""Is what was exported what was trained? Every artifact is scored on the same images as the Keras model."""

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

__all__ = ["MAX_DROP", "Decisions", "ParityRow", "measure", "parity_markdown", "parity_table", "warning_for"]

MAX_DROP = 0.01
"""A loss of more foreground IoU than this is worth a warning."""


@dataclass(frozen=True)
class ParityRow:
    """How one artifact does on the test images.

    Args:
        file: Its name in the export folder.
        bytes: Its size on disk, of a folder with all its files.
        iou: Foreground IoU over the data set, 0..1; NaN where neither truth nor prediction holds foreground.
        mean_iou: The mean over all classes, the background included.
        pixel_accuracy: The share of the counted pixels whose class is right.
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


class Decisions:
    """A predictor's `run` that remembers which class each pixel of each image got.

    Images are known by their pixels, so the order in which they come does not matter. The maps are kept compressed:
    a test set of thousands fits.
    """

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor
        self._seen: dict[bytes, bytes] = {}

    def watched(self) -> Predictor:
        """The same predictor, watched."""
        return Predictor(self._run, self._predictor.card)

    def _run(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        scores = self._predictor.run(images)
        for image, score in zip(images, scores, strict=True):
            ids = self._predictor.card.class_ids(score)
            self._seen[hashlib.sha256(image.tobytes()).digest()] = zlib.compress(ids.tobytes(), 1)
        return scores

    def changed(self, other: Decisions) -> float:
        """The share of pixels to which the two gave different classes; NaN where they saw no image in common."""
        differing = total = 0
        for key in self._seen.keys() & other._seen.keys():
            ours, theirs = (np.frombuffer(zlib.decompress(seen[key]), np.uint8) for seen in (self._seen, other._seen))
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
    reference: Decisions | None,
    on_progress: Progress | None = None,
) -> tuple[ParityRow, Decisions]:
    """Load an artifact as a user would, score it, and compare its decisions with the reference's (None: itself).

    Raises:
        ArtifactError: It cannot be loaded.
        DataError: A test image or mask cannot be used.
    """
    decisions = Decisions(load_predictor(path))
    scores = evaluate(decisions.watched(), samples, labels, boundary=False, on_progress=on_progress)
    row = ParityRow(
        file=file,
        format=format,
        quantization=quantization,
        bytes=_size(path),
        iou=scores.iou,
        mean_iou=scores.mean_iou,
        pixel_accuracy=scores.pixel_accuracy,
        changed=decisions.changed(reference or decisions),
    )
    return row, decisions


def _size(path: Path) -> int:
    return sum(f.stat().st_size for f in path.rglob("*") if f.is_file()) if path.is_dir() else path.stat().st_size


def warning_for(row: ParityRow, reference: ParityRow) -> str | None:
    """What to tell the user where the artifact is worse than the Keras model by more than `MAX_DROP`, else None."""
    drop = reference.iou - row.iou
    if math.isnan(row.iou) != math.isnan(reference.iou):
        return f"{row.file} finds foreground where the Keras model finds none, or the other way round"
    if not drop > MAX_DROP:
        return None
    remedy = "; try more --calibration-images, or use the float32 file" if row.quantization != "none" else ""
    return (
        f"{row.file}: foreground IoU {row.iou:.4f} is {100 * drop:.1f} points below "
        f"the Keras model's {reference.iou:.4f}{remedy}"
    )


def parity_markdown(rows: Sequence[ParityRow], *, images: int, split: str) -> str:
    """The table for people: the Keras model first, then every artifact beside it."""
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
    """As `parity_markdown`, for the terminal and notebooks."""
    from rich import box
    from rich.table import Table

    caption = (
        f"Dataset-wide scores on the {split} split at original size; pixels changed: other class than Keras gives."
    )
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
