"""`Journal`: what an export did so far, and the files of its report."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from kseg.card import ModelCard
from kseg.errors import ArtifactError
from kseg.exporters.earlier import RECORD
from kseg.exporters.ladder import KEPT_FILES, Ladder
from kseg.exporters.ladder.tables import ladder_markdown
from kseg.exporters.parity.measure import Measurement, Yardstick, size_on_disk
from kseg.exporters.parity.pictures import draw_worst
from kseg.exporters.parity.row import ParityRow, plain
from kseg.exporters.parity.tables import parity_markdown
from kseg.exporters.report import ExportReport
from kseg.exporters.table import EXPORTERS, Exporter
from kseg.files import make_folder, write_json, write_text
from kseg.provenance import Origin, display_path, mark_file

__all__ = ["KERAS_FILE", "REPORT_FILES", "Journal"]

logger = logging.getLogger("kseg")

KERAS_FILE: Final = "model.keras"
PICTURES: Final = "parity"
REPORT_FILES: Final = ("card.json", RECORD, "parity.md", PICTURES)


class Journal:
    """Collects what an export did, and writes parity.json, parity.md, card.json and the pictures.

    Args:
        out: The folder.
        split: The split whose images score the artifacts.
        images: Their number.
        facts: Date, versions, and the hashes of model and data.
        origin: The mark of the model.
    """

    def __init__(self, out: Path, split: str, images: int, facts: Mapping[str, Any], origin: Origin) -> None:
        self.out = out
        self.split = split
        self.facts = facts
        self.reference: dict[str, Any] = {}
        self.ladder: Ladder | None = None
        self.written: list[str] = []
        self.failures: dict[str, str] = {}
        self._images = images
        self._origin = origin
        self._rows: list[ParityRow] = []
        self._rejected: dict[str, str] = {}
        self._warnings: list[str] = []
        self._pictures: dict[str, str] = {}

    def begin(self) -> None:
        """Write the mark of the model into the folder, and remove the pictures of an earlier export of it."""
        self._write_record()
        shutil.rmtree(self.out / PICTURES, ignore_errors=True)

    def warn(self, text: str | None) -> None:
        """Log a warning and add it to the report; does nothing for None."""
        if text:
            logger.warning(text)
            self._warnings.append(text)

    def add_model(self, yardstick: Yardstick, reference: Path | None) -> None:
        """Note the scores of the Keras model and of the reference."""
        row = yardstick.model_row(self.out / KERAS_FILE, KERAS_FILE)
        self._rows.append(row)
        scores = yardstick.reference.scores
        self.reference = plain(
            {
                "model": KERAS_FILE if reference is None else display_path(reference),
                "iou": scores.iou,
                "mean_iou": scores.mean_iou,
                "pixel_accuracy": scores.pixel_accuracy,
                "calibration_error": scores.calibration_error,
            }
        )
        if not row.passed:
            self.warn(f"{KERAS_FILE} itself falls below the reference: {row.reasons[0]}")
        if row.compared_images < self._images:
            self.warn(
                f"scores were compared on {row.compared_images} of the {self._images} images, evenly spread: "
                "those of all would take too much disk; classes and IoU were compared on all"
            )

    def add(self, yardstick: Yardstick, measurement: Measurement) -> None:
        """Note the scores of an artifact on a runtime, and draw its worst images."""
        row = measurement.row
        own = all(earlier.file != row.file for earlier in self._rows)
        self._rows.append(row)
        # On a second runtime the picture would be the same, but where that one fails.
        if any(measurement.changed_pixels) and (own or not row.passed):
            name = f"{row.file}.png" if own else f"{row.file}.{row.runtime}.png"
            draw_worst(make_folder(self.out / PICTURES) / name, yardstick, measurement)
            self._pictures[row.file if own else f"{row.file} on {row.runtime}"] = f"{PICTURES}/{name}"

    def note_written(self, file: str) -> None:
        """Note that an artifact is in its place; with the result in its card it is larger than when it was measured."""
        self.written.append(file)
        size = size_on_disk(self.out / file)
        self._rows = [replace(row, bytes=size) if row.file == file else row for row in self._rows]

    def reject(self, file: str, reason: str) -> None:
        """Note that an artifact did not pass the gate."""
        self._rejected[file] = reason
        self.warn(reason)

    def finish(self, card: ModelCard, exporters: Sequence[Exporter], *, forced: bool) -> ExportReport:
        """Write the card and the report; warn of files in the folder that belong to an earlier export.

        Args:
            card: The card of the model.
            exporters: The artifacts that were asked for.
            forced: Whether what did not pass was kept.

        Raises:
            ArtifactError: Every artifact failed.
            OutputError: A file cannot be written.
        """
        self.warn(self._earlier_files())
        files = [exporter.file for exporter in exporters if exporter.file in self.written]
        card = card.with_provenance(export={**self.facts, "files": files})
        write_text(self.out / "card.json", card.to_json() + "\n")
        self._write_record(forced=forced)
        notes = [*self._rejected.values(), *(f"{file} failed: {reason}" for file, reason in self.failures.items())]
        table = parity_markdown(self._rows, images=self._images, split=self.split, notes=notes)
        write_text(self.out / "parity.md", table if self.ladder is None else f"{table}\n{ladder_markdown(self.ladder)}")
        if self.failures and not (self.written or self._rejected):
            reasons = "; ".join(f"{file}: {reason}" for file, reason in self.failures.items())
            raise ArtifactError("nothing could be exported", where=str(self.out), found=reasons)
        return ExportReport(
            self.out, tuple(self._rows), self.failures, self._rejected, forced, tuple(self._warnings), self.split,
            self.out / PICTURES if self._pictures else None, self.ladder,
        )  # fmt: skip

    def _earlier_files(self) -> str | None:
        """A warning of artifacts that this export did not write; those that it rejected were told already."""
        told = {*self.written, *self._rejected}
        files = (*(exporter.file for exporter in EXPORTERS), *KEPT_FILES)
        earlier = [file for file in files if file not in told and (self.out / file).exists()]
        return f"{self.out}: of an earlier export, and not replaced: {', '.join(earlier)}" if earlier else None

    def _write_record(self, *, forced: bool = False) -> None:
        record = {
            "schema": 2,
            **self.facts,
            "split": self.split,
            "images": self._images,
            "averaging": "over the whole set, at the original size of the images",
            "intervals": "95 %, percentiles of a paired bootstrap over the images",
            "reference": self.reference,
            "rows": [row.to_json() for row in self._rows],
            "failures": self.failures,
            "rejected": self._rejected,
            "forced": forced,
            "warnings": self._warnings,
            "pictures": self._pictures,
            "ladder": None if self.ladder is None else self.ladder.to_json(),
        }
        write_json(self.out / RECORD, record)
        mark_file(self.out / RECORD, self._origin)
