"""The stage: one trained model in, a folder of measured artifacts out.

::

    OUT/model.keras            the model, copied
    OUT/saved_model/ …         an artifact for each row of `kseg.exporters.EXPORTERS` that was asked for
    OUT/model_auto.tflite …    what the ladder chose, if it was asked for
    OUT/card.json              their model card: input, classes, origin
    OUT/parity.json, .md       the scores of each beside the Keras model's
    OUT/parity/                a picture of each artifact's worst images

An artifact is written aside, measured there by every runtime of this machine that runs it, judged by the gate, given a
card that holds the result, and only then renamed to its name. What does not pass, or cannot be written, leaves an
earlier artifact as it was.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from kseg import __version__
from kseg.card import ModelCard, read_card, write_card
from kseg.data.dataset import Dataset
from kseg.data.sample import SplitName
from kseg.errors import DataError, KsegError, ParityFailure
from kseg.evaluation import check_labels, choose_split
from kseg.exporters.calibration import calibration_images
from kseg.exporters.conversion import Conversion
from kseg.exporters.earlier import COMMAND, require_replaceable_export
from kseg.exporters.formats.graph import require_tensorflow
from kseg.exporters.formats.tflite_qat import require_qat
from kseg.exporters.journal import KERAS_FILE, REPORT_FILES, Journal
from kseg.exporters.ladder import FILE, KEPT_FILES, Rung, climb
from kseg.exporters.parity.gate import MAX_IOU_DROP, Gate
from kseg.exporters.parity.measure import Measured, Measurement, Yardstick
from kseg.exporters.parity.row import ParityRow
from kseg.exporters.report import ExportReport
from kseg.exporters.table import Exporter
from kseg.files import make_folder, remove_leftovers, write_aside
from kseg.images import printable
from kseg.inference import installed_runtimes, own_runtime
from kseg.provenance import Origin

__all__ = ["ExportReport", "export_model"]

logger = logging.getLogger("kseg")

Progress = Callable[[str, int, int], None]


def export_model(
    model: Path,
    dataset: Dataset,
    out: Path,
    exporters: Sequence[Exporter],
    *,
    ladder: bool = False,
    calibration: int = 100,
    split: SplitName | Literal["all"] | None = None,
    max_iou_drop: float = MAX_IOU_DROP,
    force: bool = False,
    reference: Path | None = None,
    threads: int | None = None,
    on_progress: Progress | None = None,
) -> ExportReport:
    """Write the artifacts of a trained model, and measure each before it replaces an earlier one.

    An artifact that fails does not keep the others from being written; an earlier file of its name stays.

    Args:
        model: A ``.keras`` file that kseg wrote.
        dataset: Its own data: the training split calibrates, ``split`` scores.
        out: The folder; an earlier export of the same model in it is replaced file by file.
        exporters: The artifacts to write: rows of `kseg.exporters.EXPORTERS`.
        ladder: Also try the quantisations of TFLite, and write the smallest and the fastest file that pass.
        calibration: The number of training images for the quantiser.
        split: The images that score the artifacts: ``test``, ``val``, ``train`` or ``all``; None is ``test``, or
            ``val`` if there are no test images.
        max_iou_drop: How far the foreground IoU of an artifact may be below the reference's.
        force: Keep artifacts that do not pass the gate, marked as failed in their cards.
        reference: The model whose foreground IoU artifacts are compared with, of the same classes. Defaults to
            ``model``; for a pruned or quantisation-aware model it is the one that it was fine-tuned from.
        threads: The number of CPU threads of the runtimes that score.
        on_progress: Called with the current step, and (done, total) of it.

    Returns:
        The scores of each artifact, the failures, and what did not pass the gate.

    Raises:
        UsageError: Keras' backend is not TensorFlow, or too few calibration images are asked for.
        ArtifactError: The model or the reference cannot be loaded, or every artifact failed.
        DataError: The split is empty, there are too few training images to calibrate with, or the data or the reference
            have other classes than the model.
        OutputError: The folder cannot be written, or it holds files of another model, or some that kseg did not write.
    """
    from kseg.models import load_model

    card = read_card(model)
    check_labels(dataset.labels, card.labels)
    _check_reference(reference, card)
    if any(exporter.quantization == "qat" for exporter in exporters):
        require_qat(card, model)
    split = choose_split(dataset, split)
    samples = dataset.samples(split)
    facts = _facts(model, dataset)
    files = [KERAS_FILE, *(exporter.file for exporter in exporters), *REPORT_FILES, *(KEPT_FILES if ladder else ())]
    require_replaceable_export(out, model, facts["source_sha256"], files)
    progress = on_progress or (lambda *_: None)
    images = []
    if ladder or any(exporter.calibrated for exporter in exporters):
        size = (card.height, card.width)
        images = calibration_images(
            dataset, calibration, size, lambda *n: progress("choosing calibration images", *n)
        )  # fmt: skip
    require_tensorflow()
    make_folder(out)
    remove_leftovers(out)
    network, card = load_model(model)
    journal = Journal(out, split, len(samples), facts, Origin.of(COMMAND, model))
    journal.begin()
    journal.warn(_data_warning(card, facts["data_fingerprint"]))
    _copy(model, out / KERAS_FILE)
    yardstick = Yardstick.make(
        out / KERAS_FILE, samples, dataset.labels, reference=reference, gate=Gate(max_iou_drop), threads=threads,
        on_progress=lambda *n: progress(f"scoring {KERAS_FILE}", *n),
    )  # fmt: skip
    journal.add_model(yardstick, reference)
    export = _Export(Conversion(network, card, images), yardstick, journal, force, progress)
    for exporter in exporters:
        export.run(exporter)
    chosen = export.climb() if ladder else ()
    return journal.finish(card, [*exporters, *chosen], forced=force)


def _check_reference(reference: Path | None, card: ModelCard) -> None:
    names = None if reference is None else read_card(reference).labels.names
    if names not in (None, card.labels.names):
        raise DataError(
            "the reference has other classes than the model", where=printable(str(reference)),
            expected=", ".join(card.labels.names), found=", ".join(names or ()),
            remedy="name the model that this one was fine-tuned from",
        )  # fmt: skip


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


def _copy(model: Path, target: Path) -> None:
    if not (target.exists() and target.samefile(model)):
        with write_aside(target) as aside:
            shutil.copyfile(model, aside)


@dataclass(frozen=True)
class _Export:
    """Writes, measures and promotes one artifact after the other, and notes what became of each in the journal."""

    conversion: Conversion
    yardstick: Yardstick
    journal: Journal
    force: bool
    progress: Progress

    def run(self, exporter: Exporter, **facts: Any) -> None:
        """Write an artifact, with these facts in its card; a failure is recorded for the report."""
        self.progress(f"converting {exporter.file}", 0, 1)
        conversion = self._conversion(exporter, facts)
        try:
            with write_aside(self.journal.out / exporter.file) as aside:
                exporter.write(conversion, aside)
                parity = self._check(exporter, aside)
                write_card(aside, self._card(conversion.card, parity))
        except ParityFailure:
            return
        # Converters and runtimes raise almost anything; it must not keep the other artifacts from being written.
        except Exception as error:
            self._fail(exporter.file, error)
            return
        self.journal.note_written(exporter.file)

    def climb(self) -> tuple[Exporter, ...]:
        """Climb the ladder of TFLite, and write what it keeps; returns the exporters of that."""
        with tempfile.TemporaryDirectory(prefix="kseg-") as folder:
            try:
                ladder = climb(
                    self.conversion, self._score_rung, Path(folder), threads=self.yardstick.threads,
                    on_progress=self.progress,
                )  # fmt: skip
            except Exception as error:  # as in `run`
                self._fail(FILE, error)
                return ()
            self.journal.ladder = ladder
            exporters = tuple(_exporter_of(file, rung) for file, rung in ladder.kept.items())
            for exporter in exporters:
                self.run(exporter, ladder=ladder.facts(exporter.file))
        if not exporters:
            self.journal.failures[FILE] = ladder.notes[0]
        return exporters

    def _score_rung(self, path: Path, name: str, quantization: str) -> ParityRow:
        artifact = Measured(path, name, "tflite", quantization, own_runtime(path))
        return self.yardstick.measure(artifact, lambda *n: self.progress(f"scoring {name}", *n)).row

    def _fail(self, file: str, error: Exception) -> None:
        logger.debug("export of %s failed", file, exc_info=error)
        self.journal.failures[file] = _reason(error)

    def _conversion(self, exporter: Exporter, facts: Mapping[str, Any]) -> Conversion:
        facts = {
            **self.journal.facts,
            "format": exporter.format,
            "quantization": exporter.quantization,
            **facts,
        }
        facts["calibration_images"] = len(self.conversion.calibration) if exporter.calibrated else 0
        return self.conversion.with_card(self.conversion.card.with_provenance(export=facts))

    def _card(self, card: ModelCard, parity: Mapping[str, Any]) -> ModelCard:
        facts = {**card.provenance["export"], "parity": parity, "reference": self.journal.reference}
        return card.with_provenance(export=facts)

    def _check(self, exporter: Exporter, path: Path) -> dict[str, Any]:
        """Measure an artifact on each runtime that runs it here; runtime → result, for its card.

        Raises:
            ParityFailure: It does not pass on its own runtime, and the export is not forced.
        """
        own, *others = installed_runtimes(path) or (own_runtime(path),)
        measurement = self._measure(exporter, path, own)
        row = measurement.row
        if not row.passed:
            failure = self._failure(row)
            self.journal.reject(row.file, str(failure))
            if not self.force:
                raise failure
        parity = {own: self._result(row)}
        return parity | {runtime: self._check_other(exporter, path, runtime) for runtime in others}

    def _measure(self, exporter: Exporter, path: Path, runtime: str) -> Measurement:
        artifact = Measured(path, exporter.file, exporter.format, exporter.quantization, runtime)
        step = f"scoring {exporter.file} on {runtime}"
        measurement = self.yardstick.measure(artifact, lambda *n: self.progress(step, *n))
        self.journal.add(self.yardstick, measurement)
        return measurement

    def _check_other(self, exporter: Exporter, path: Path, runtime: str) -> dict[str, Any]:
        """As `_check`, on a runtime that is not the artifact's own: where it fails, the artifact is not run by it."""
        try:
            row = self._measure(exporter, path, runtime).row
        except Exception as error:  # as in `run`
            result: dict[str, Any] = {"passed": False, "reasons": [_reason(error)]}
        else:
            result = self._result(row)
        if not result["passed"]:
            text = f"{exporter.file} does not pass on {runtime}, which --runtime auto will not take"
            self.journal.warn(f"{text}: {result['reasons'][0]}")
        return result

    def _result(self, row: ParityRow) -> dict[str, Any]:
        return row.to_card(images=len(self.yardstick.samples), split=self.journal.split)

    def _failure(self, row: ParityRow) -> ParityFailure:
        """The gravest fault of an artifact, with the place, and what became of it."""
        fault = self.yardstick.gate.faults(row)[0]
        target = self.journal.out / row.file
        state = "kept because of --force" if self.force else "not written"
        if target.exists() and not self.force:
            state += ", the earlier one is untouched"
        images = f"on the {len(self.yardstick.samples)} images of the {self.journal.split} split"
        found = f"{fault.found} {images}" if fault.found else images
        return ParityFailure(
            f"{fault.what} ({state})", where=printable(target), expected=fault.expected, found=found,
            remedy=None if self.force else fault.remedy,
        )  # fmt: skip


def _exporter_of(file: str, rung: Rung) -> Exporter:
    """The exporter of a file that the ladder keeps: copies the rung."""

    def write(_: Conversion, path: Path) -> None:
        shutil.copyfile(rung.path, path)

    return Exporter("tflite", rung.quantization, file, write)


def _reason(error: Exception) -> str:
    text = str(error).strip().splitlines()
    first = text[0][:400] if text else ""
    return first if isinstance(error, KsegError) and first else f"{type(error).__name__}: {first}".rstrip(": ")
