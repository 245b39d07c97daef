"""Parity: every artifact is scored on the same images as the model it came from, by the runtime that will run it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kseg.data.sample import Sample
from kseg.evaluation.bootstrap import Interval, iou_drops
from kseg.exporters.parity.comparison import Agreement, Comparison
from kseg.exporters.parity.gate import Gate
from kseg.exporters.parity.record import PredictionRecord, record_predictions
from kseg.exporters.parity.row import ClassDrop, ParityRow
from kseg.inference import PredictionPlan, Predictor
from kseg.labels import LabelMap
from kseg.parallel import Progress

__all__ = ["Measured", "Measurement", "Yardstick", "size_on_disk"]


@dataclass(frozen=True)
class Measured:
    """What is measured: an artifact and a runtime.

    Args:
        path: Where it is now, which may be a temporary name.
        file: Its name in the export folder.
        format: As in `ParityRow`; so are ``quantization`` and ``runtime``.
    """

    path: Path
    file: str
    format: str
    quantization: str
    runtime: str


@dataclass(frozen=True, eq=False)
class Measurement:
    """An artifact on a runtime, measured.

    Args:
        row: Its row of the table, judged by the gate.
        record: What it predicted.
        changed_pixels: For each image, how many pixels at the network's size differ in class from the model's.
    """

    row: ParityRow
    record: PredictionRecord
    changed_pixels: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Yardstick:
    """What artifacts are measured against.

    Args:
        samples: The images and masks that score them.
        labels: The classes.
        model: The predictions of the exported model, which float32 artifacts have to repeat.
        reference: The predictions of the model whose foreground IoU artifacts may not fall below: the exported one,
            or the one that it was fine-tuned from.
        gate: The limits.
        threads: The number of CPU threads of the runtimes; None leaves it to them.
    """

    samples: Sequence[Sample]
    labels: LabelMap
    model: PredictionRecord
    reference: PredictionRecord
    gate: Gate = field(default_factory=Gate)
    threads: int | None = None

    @classmethod
    def make(
        cls,
        model: Path,
        samples: Sequence[Sample],
        labels: LabelMap,
        *,
        reference: Path | None = None,
        gate: Gate | None = None,
        threads: int | None = None,
        on_progress: Progress | None = None,
    ) -> Yardstick:
        """Predict the images with the exported model and, if it is another one, with the reference.

        Raises:
            ArtifactError: A model cannot be loaded.
            DataError: An image or mask cannot be used.
        """
        predictor = _load(model, None, threads, len(samples))
        exported = record_predictions(predictor, samples, labels, keep_scores=True, on_progress=on_progress)
        compared = exported
        if reference is not None:
            predictor = _load(reference, None, threads, len(samples))
            compared = record_predictions(predictor, samples, labels, on_progress=on_progress)
        return cls(samples, labels, exported, compared, gate or Gate(), threads)

    def model_row(self, path: Path, file: str) -> ParityRow:
        """The row of the exported model itself, which agrees with itself and may be below the reference."""
        kept = self.model.kept
        agreement = Agreement(len(self.samples) if kept is None else len(kept))
        return self._row(Measured(path, file, "keras", "none", "keras"), self.model, agreement)

    def measure(self, artifact: Measured, on_progress: Progress | None = None) -> Measurement:
        """Load an artifact as a user would, score it on the images, and compare it with the model.

        Args:
            artifact: The artifact and the runtime that runs it.
            on_progress: Called with the number of scored images, and their total.

        Raises:
            ArtifactError: The artifact cannot be loaded.
            UsageError: The runtime does not run it, or is not installed.
            DataError: An image or mask cannot be used.
        """
        comparison = Comparison(self.model)
        predictor = _load(artifact.path, artifact.runtime, self.threads, len(self.samples))
        record = record_predictions(
            predictor, self.samples, self.labels, observe=comparison.add, on_progress=on_progress
        )  # fmt: skip
        row = self._row(artifact, record, comparison.agreement())
        return Measurement(row, record, tuple(comparison.changed_pixels))

    def _row(self, artifact: Measured, record: PredictionRecord, agreement: Agreement) -> ParityRow:
        interval, classes = self._drops(record)
        row = ParityRow(
            file=artifact.file,
            format=artifact.format,
            quantization=artifact.quantization,
            runtime=artifact.runtime,
            bytes=size_on_disk(artifact.path),
            iou=record.scores.iou,
            mean_iou=record.scores.mean_iou,
            pixel_accuracy=record.scores.pixel_accuracy,
            calibration_error=record.scores.calibration_error,
            reference_iou=self.reference.scores.iou,
            iou_drop_interval=interval,
            classes=classes,
            changed=agreement.changed,
            max_score_difference=agreement.max_score_difference,
            offset=agreement.offset,
            gain=agreement.gain,
            compared_images=agreement.compared_images,
        )
        return self.gate.judged(row)

    def _drops(self, record: PredictionRecord) -> tuple[Interval, tuple[ClassDrop, ...]]:
        """The interval of the drop of the foreground IoU, and the drops of each class."""
        intervals = iou_drops(self.reference.matrices, record.matrices, self.labels.foreground)
        before, after = (each.scores.class_scores("iou") for each in (self.reference, record))
        classes = tuple(
            ClassDrop(name, float(after[k]), float(before[k] - after[k]), intervals.per_class[k])
            for k, name in enumerate(self.labels.names)
        )
        return intervals.foreground, classes


def _load(path: Path, runtime: str | None, threads: int | None, pictures: int) -> Predictor:
    return PredictionPlan.make(path, runtime=runtime, threads=threads).load(pictures=pictures)


def size_on_disk(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    return sum(f.stat().st_size for f in path.rglob("*") if f.is_file()) if path.is_dir() else path.stat().st_size
