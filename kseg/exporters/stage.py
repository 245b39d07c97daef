"""The stage: one trained model in, a folder of measured artifacts out.

::

    OUT/model.keras            the model, copied
    OUT/saved_model/           SavedModel
    OUT/model_float32.tflite   TFLite
    OUT/model_int8.tflite      TFLite, fully quantised
    OUT/model.onnx             ONNX
    OUT/card.json              their model card: input, classes, origin
    OUT/parity.json, .md       the scores of each beside the Keras model's
"""

from __future__ import annotations

import hashlib
import logging
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from kseg import __version__
from kseg.card import ModelCard, read_card
from kseg.data.dataset import Dataset
from kseg.data.sample import Sample, SplitName
from kseg.errors import ArtifactError, DataError, KsegError
from kseg.evaluation import check_labels, choose_split
from kseg.exporters.conversion import Conversion, calibration_images
from kseg.exporters.earlier import COMMAND, RECORD, require_replaceable_export
from kseg.exporters.formats.graph import require_tensorflow
from kseg.exporters.parity.measure import (
    ParityRow,
    PredictionRecord,
    measure,
    parity_markdown,
    parity_table,
    warning_for,
)
from kseg.exporters.table import EXPORTERS, Exporter
from kseg.files import make_folder, write_aside, write_json, write_text
from kseg.html import rich_html
from kseg.images import printable
from kseg.provenance import Origin, mark_file

__all__ = ["ExportReport", "export_model"]

logger = logging.getLogger("kseg")

KERAS_FILE = "model.keras"
REPORT_FILES = ("card.json", RECORD, "parity.md")
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, repr=False)
class ExportReport:
    """The result of an export.

    Args:
        out: The folder.
        rows: The scores of the Keras model, then those of each artifact that was written.
        failures: File name → reason, for each artifact that could not be written.
        warnings: Warnings, which are also logged.
        split: The split whose images scored the artifacts.
    """

    out: Path
    rows: tuple[ParityRow, ...]
    failures: dict[str, str]
    warnings: tuple[str, ...]
    split: str

    def __repr__(self) -> str:
        files = ", ".join([row.file for row in self.rows] + [f"{file} failed" for file in self.failures])
        return f"ExportReport({str(self.out)!r}: {files})"

    def _repr_html_(self) -> str:
        from rich.text import Text

        lines = [f"{self.out}", *(f"failed: {file}: {reason}" for file, reason in self.failures.items())]
        return rich_html(Text("\n".join(lines)), parity_table(self.rows, self.split))


def export_model(
    model: Path,
    dataset: Dataset,
    out: Path,
    exporters: Sequence[Exporter],
    *,
    calibration: int = 100,
    split: SplitName | Literal["all"] | None = None,
    on_progress: Progress | None = None,
) -> ExportReport:
    """Write the artifacts of a trained model, and score each before it replaces an earlier one.

    An artifact that fails does not keep the others from being written; an earlier file of its name stays.

    Args:
        model: A ``.keras`` file that kseg wrote.
        dataset: Its own data: the training split calibrates, ``split`` scores.
        out: The folder; an earlier export of the same model in it is replaced file by file.
        exporters: The artifacts to write: rows of `kseg.exporters.EXPORTERS`.
        calibration: The number of training images for the quantiser.
        split: The images that score the artifacts: ``test``, ``val``, ``train`` or ``all``; None is ``test``, or
            ``val`` if there are no test images.
        on_progress: Called with the current step, and (done, total) of it.

    Returns:
        The scores of each artifact, and the failures.

    Raises:
        UsageError: Keras' backend is not TensorFlow.
        ArtifactError: The model cannot be loaded, or no artifact could be exported.
        DataError: The split is empty, there are no training images to calibrate with, or the data have other classes
            than the model.
        OutputError: The folder cannot be written, or it holds files of another model, or some that kseg did not write.
    """
    from kseg.models import load_model

    card = read_card(model)
    check_labels(dataset.labels, card.labels)
    split = choose_split(dataset, split)
    samples = dataset.samples(split)
    facts = _facts(model, dataset)
    files = [KERAS_FILE, *(exporter.file for exporter in exporters), *REPORT_FILES]
    require_replaceable_export(out, model, facts["source_sha256"], files)
    progress = on_progress or (lambda *_: None)
    images = []
    if any(exporter.calibrated for exporter in exporters):
        size = (card.height, card.width)
        images = calibration_images(
            _training_samples(dataset), calibration, size, lambda *n: progress("reading calibration images", *n)
        )
    require_tensorflow()
    make_folder(out)
    network, card = load_model(model)
    conversion = Conversion(network, card, images)
    run = _ExportRun(conversion, samples, dataset, facts, out, Origin.of(COMMAND, model), progress)
    run.warn(_data_warning(card, facts["data_fingerprint"]))
    run.write_record(split)
    run.copy(model)
    for exporter in exporters:
        run.export(exporter)
    return run.finish(exporters, split)


def _training_samples(dataset: Dataset) -> tuple[Sample, ...]:
    if not dataset.splits.get("train"):
        raise DataError(
            "there are no training images, which int8 is calibrated on", where=printable(dataset.root),
            remedy="use --quantize none, or add --data with the data that the model was trained on",
        )  # fmt: skip
    return dataset.samples("train")


def _facts(model: Path, dataset: Dataset) -> dict[str, Any]:
    return {
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "kseg": __version__,
        "tensorflow": version("tensorflow"),
        "keras": version("keras"),
        "source": "/".join(model.resolve().parts[-3:]),
        "source_sha256": hashlib.sha256(model.read_bytes()).hexdigest(),
        "data_fingerprint": dataset.fingerprint(),
    }


def _data_warning(card: ModelCard, fingerprint: str) -> str | None:
    """A warning if the data are not those of the training; None if they are, or if the card does not say."""
    trained_on = card.provenance.get("data_fingerprint")
    if trained_on in (None, fingerprint):
        return None
    return (
        "the data are not those that the model was trained on (other files, or another split): "
        "the scores may include images that it was trained on"
    )


class _ExportRun:
    """An export in progress: collects the rows, failures and warnings of its report."""

    def __init__(
        self,
        conversion: Conversion,
        samples: Sequence[Sample],
        dataset: Dataset,
        facts: dict[str, Any],
        out: Path,
        origin: Origin,
        progress: Progress,
    ) -> None:
        self.conversion = conversion
        self.samples = samples
        self.dataset = dataset
        self.facts = facts
        self.out = out
        self.origin = origin
        self.progress = progress
        self.rows: list[ParityRow] = []
        self.failures: dict[str, str] = {}
        self.warnings: list[str] = []
        self.reference: PredictionRecord | None = None

    def copy(self, model: Path) -> None:
        """Copy the Keras model into the folder, and score it as the reference."""
        target = self.out / KERAS_FILE
        if not (target.exists() and target.samefile(model)):
            with write_aside(target) as aside:
                shutil.copyfile(model, aside)
        row, self.reference = self._measure(target, KERAS_FILE, "keras", "none")
        self.rows.append(row)

    def export(self, exporter: Exporter) -> None:
        """Write an artifact and score it; a failure is recorded for the report."""
        self.progress(f"converting {exporter.file}", 0, 1)
        facts = {**self.facts, "format": exporter.format, "quantization": exporter.quantization}
        facts["calibration_images"] = len(self.conversion.calibration) if exporter.calibrated else 0
        conversion = self.conversion.with_card(self.conversion.card.with_provenance(export=facts))
        try:
            with write_aside(self.out / exporter.file) as aside:
                exporter.write(conversion, aside)
                row, _ = self._measure(aside, exporter.file, exporter.format, exporter.quantization)
        # Converters and runtimes raise almost anything; it must not keep the other artifacts from being written.
        except Exception as error:
            logger.debug("export of %s failed", exporter.file, exc_info=True)
            self.failures[exporter.file] = _reason(error)
            return
        self.rows.append(row)
        self.warn(warning_for(row, self.rows[0]))

    def _measure(self, path: Path, file: str, format: str, quantization: str) -> tuple[ParityRow, PredictionRecord]:
        return measure(
            path, self.samples, self.dataset.labels, file=file, format=format, quantization=quantization,
            reference=self.reference, on_progress=lambda *n: self.progress(f"scoring {file}", *n),
        )  # fmt: skip

    def warn(self, text: str | None) -> None:
        """Log a warning and add it to the report; does nothing for None."""
        if text:
            logger.warning(text)
            self.warnings.append(text)

    def finish(self, exporters: Sequence[Exporter], split: str) -> ExportReport:
        """Write the card and the parity report; warn of files in the folder that belong to an earlier export."""
        written = {row.file for row in self.rows}
        for exporter in EXPORTERS:
            if exporter.file not in written and (self.out / exporter.file).exists():
                self.warn(f"{self.out / exporter.file} is of an earlier export and was not replaced")
        files = [exporter.file for exporter in exporters if exporter.file in written]
        card = self.conversion.card.with_provenance(export={**self.facts, "files": files})
        write_text(self.out / "card.json", card.to_json() + "\n")
        self.write_record(split)
        write_text(self.out / "parity.md", parity_markdown(self.rows, images=len(self.samples), split=split))
        if not files:
            reasons = "; ".join(f"{file}: {reason}" for file, reason in self.failures.items())
            raise ArtifactError("nothing could be exported", where=str(self.out), found=reasons)
        return ExportReport(self.out, tuple(self.rows), self.failures, tuple(self.warnings), split)

    def write_record(self, split: str) -> None:
        """Write parity.json with the rows so far, and with the mark of the model."""
        record = {
            "schema": 1,
            **self.facts,
            "split": split,
            "images": len(self.samples),
            "averaging": "over the whole set, at the original size of the images",
            "rows": [row.to_json() for row in self.rows],
            "failures": self.failures,
            "warnings": self.warnings,
        }
        write_json(self.out / RECORD, record)
        mark_file(self.out / RECORD, self.origin)


def _reason(error: Exception) -> str:
    text = str(error).strip().splitlines()
    first = text[0][:400] if text else ""
    return first if isinstance(error, KsegError) and first else f"{type(error).__name__}: {first}".rstrip(": ")
