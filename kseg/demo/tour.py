"""The tour of ``kseg demo``: from images to a quantised model, on drawn faces, in three minutes.

It calls the same functions as the other commands.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kseg.errors import PartialFailure, shell_command

if TYPE_CHECKING:
    from rich.console import Console

    from kseg.config import Config
    from kseg.data.dataset import Dataset
    from kseg.evaluation import Scores
    from kseg.exporters import ExportReport
    from kseg.inference import Predictor, PredictReport
    from kseg.latency import Results

__all__ = ["EXPECTED_IOU", "RECIPE", "judge", "run_tour"]

EXPECTED_IOU = 0.85
"""Foreground IoU that the demo must reach on the test split."""

SIZE = (96, 96)
SHOWN = 8
"""Number of test images in the panel."""

RECIPE: dict[str, Any] = {
    "data.classes": ["background", "eyeglasses"],
    "data.values": {0: "background", 255: "eyeglasses"},
    "data.split": {"by": "fractions", "train": 0.76, "val": 0.1, "test": 0.14},
    # Narrow, with batch normalisation: trains in a minute, and the model is below 2 MB.
    "model.widths": [8, 16, 32, 64],
    "model.norm": "batch",
    "train.imgsz": list(SIZE),
    "train.batch": 8,
    "train.lr": 4e-3,
    "train.loss": "cross_entropy + dice",
    "train.patience": 0,
    "run.name": "eyeglasses",
}
"""The settings of the training that differ from the defaults, by dotted key."""


def run_tour(out: Path, *, seed: int, epochs: int, images: int) -> None:
    """Draw a data set, train, evaluate, predict, export and benchmark, with a report on the terminal.

    Args:
        out: The folder to write to; a number is appended if it exists.
        seed: Random seed of the faces and the training.
        epochs: Number of epochs.
        images: Number of faces.

    Raises:
        PartialFailure: See `judge`.
    """
    from rich.console import Console

    from kseg.demo.faces import make_faces
    from kseg.files import new_folder

    begin = time.perf_counter()
    console = Console(highlight=False) if Console().is_terminal else Console(highlight=False, width=120)
    folder = new_folder(out.parent, out.name)
    with _step(console, f"1  Draw {images} faces, most of them with eyeglasses, and their masks"):
        faces = make_faces(folder / "faces", images, size=SIZE, seed=seed)
    with _step(console, "2  Train a small U-Net  (kseg fit)"):
        run = _fit(console, _config(faces, folder, seed, epochs))
    with _step(console, "3  Score it on test faces that it never saw  (kseg evaluate)"):
        predictor, dataset, scores = _evaluate(console, run)
    with _step(console, "4  Write masks for a few of them  (kseg predict)"):
        panel = _predict(console, predictor, dataset, folder)
    with _step(console, "5  Export TFLite in float32 and int8, each scored again  (kseg export)"):
        report = _export(run, dataset, folder / "export")
    with _step(console, "6  Time them, one picture at a time  (kseg benchmark)"):
        results = _benchmark(report.out, folder / "benchmark.json")
    console.print(_table(report, results))
    _show_paths(console, folder, run, panel)
    _show_next(console, run, report.out)
    console.print(f"\n{time.perf_counter() - begin:.0f} s in all")
    judge(scores.iou, report.failures)


@contextmanager
def _step(console: Console, title: str) -> Iterator[None]:
    begin = time.perf_counter()
    console.print(f"\n[bold]{title}[/]")
    yield
    console.print(f"   {time.perf_counter() - begin:.1f} s", style="dim")


# --- the steps ------------------------------------------------------------------------------------------------------


def _config(faces: Path, folder: Path, seed: int, epochs: int) -> Config:
    from kseg.config import load_config

    settings = {"data.root": str(faces), "train.seed": seed, "train.epochs": epochs, "run.project": str(folder)}
    return load_config(None, {**RECIPE, **settings})


def _fit(console: Console, config: Config) -> Path:
    from kseg.api.progress import TerminalReporter
    from kseg.training import fit

    result = fit(config, reporter=TerminalReporter())
    console.print(
        f"   best of {len(result.rows)} epochs: {result.best_epoch}, foreground IoU {result.best['val_iou']:.3f} "
        "on the validation split"
    )
    return result.folder


def _evaluate(console: Console, run: Path) -> tuple[Predictor, Dataset, Scores]:
    from kseg.api.progress import progress_bar
    from kseg.evaluation import evaluate, load_data
    from kseg.inference import load_predictor

    dataset = load_data(None, run)
    predictor = load_predictor(run)
    with progress_bar("evaluating") as tell:
        scores = evaluate(predictor, dataset.samples("test"), dataset.labels, on_progress=tell)
    console.print(
        f"   {scores.images} test faces: foreground IoU [bold]{scores.iou:.3f}[/], Dice {scores.dice:.3f} "
        f"(over the dataset); IoU {scores.image_iou:.3f} per image; pixel accuracy {scores.pixel_accuracy:.3f}"
    )
    for warning in scores.warnings:
        logging.getLogger("kseg").warning("%s", warning)
    return predictor, dataset, scores


def _predict(console: Console, predictor: Predictor, dataset: Dataset, folder: Path) -> Path:
    from kseg.inference import FilesPlan, predict_files

    images = [str(sample.image) for sample in dataset.samples("test")[:SHOWN]]
    plan = FilesPlan.make(predictor.card, images, folder / "predictions", overlay=True)
    report = predict_files(predictor, plan)
    panel = folder / "panel.png"
    _draw_panel(panel, dataset, report)
    console.print(f"   {len(report.written)} masks, and a picture of them: {panel}", soft_wrap=True)
    return panel


def _draw_panel(path: Path, dataset: Dataset, report: PredictReport) -> None:
    """Draw image, ground truth and prediction of the test images, two images per row."""
    from kseg.data.truth import read_truth
    from kseg.drawing import overlay, panel
    from kseg.images import read_image, read_mask, write_png

    truths = {sample.image.resolve(): read_truth(sample, dataset.labels) for sample in dataset.samples("test")}
    labels = dataset.labels
    triples = []
    for entry in report.written:
        image = read_image(entry.image)
        masks = (truths[entry.image.resolve()], labels.encode(read_mask(entry.mask)))
        triples.append([image, *(overlay(image, ids, labels) for ids in masks)])
    rows = [list(chain(*triples[i : i + 2])) for i in range(0, len(triples), 2)]
    write_png(path, panel(rows, ["image", "truth", "prediction"] * 2, tile=(2 * SIZE[0], 2 * SIZE[1])))


def _export(run: Path, dataset: Dataset, out: Path) -> ExportReport:
    from kseg.exporters import choose, export_model
    from kseg.inference import resolve_model

    with _status() as tell:
        return export_model(
            resolve_model(run), dataset, out, choose(["tflite"], ["none", "int8"]),
            on_progress=lambda what, done, total: tell(f"{what} {done}/{total}"),
        )  # fmt: skip


def _benchmark(export: Path, json_file: Path) -> Results:
    from kseg.latency import Settings, find_targets, run_benchmark, write_results

    with _status() as tell:
        results = run_benchmark(
            find_targets([export]), Settings(devices=("cpu",)),
            on_progress=lambda done, total: tell(f"measured {done}/{total}"),
        )  # fmt: skip
    write_results(json_file, results)
    return results


@contextmanager
def _status() -> Iterator[Callable[[str], None]]:
    """A status line on stderr, shown on terminals only."""
    from rich.console import Console

    with Console(stderr=True).status("…") as status:
        yield lambda text: status.update(text)


# --- the story's end ------------------------------------------------------------------------------------------------


def _table(report: ExportReport, results: Results) -> Any:
    from rich import box
    from rich.table import Table

    measured = {Path(row.model).name: row for row in results.rows}
    threads = results.rows[0].threads
    table = Table(
        box=box.SIMPLE_HEAD, title_justify="left", title="The trained model and what became of it",
        caption=f"IoU: foreground, over the test split. Latency: median of one picture on {threads} CPU threads, "
        "inference only.", caption_justify="left",
    )  # fmt: skip
    for heading in ("artifact", "MB", "IoU", "ms", "times Keras' speed"):
        table.add_column(heading, justify="left" if heading == "artifact" else "right", no_wrap=True)
    keras_ms = measured[report.rows[0].file].p50
    own_runtime = {row.file: row for row in reversed(report.rows)}
    for row in reversed(own_runtime.values()):
        if row.file not in measured:  # it did not pass the parity gate
            continue
        ms = measured[row.file].p50
        table.add_row(row.file, f"{row.bytes / 1e6:.2f}", f"{row.iou:.3f}", f"{ms:.2f}", f"{keras_ms / ms:.1f}")
    return table


def _show_paths(console: Console, folder: Path, run: Path, panel: Path) -> None:
    console.print("\n[bold]Where everything lies[/]")
    for path, what in (
        (folder / "faces", "the drawn images and masks"),
        (run, "the run: settings, weights, curves, the data's fingerprint"),
        (panel, "image, truth and prediction beside one another"),
        (folder / "predictions", "masks and overlays"),
        (folder / "export", "model.keras, model_float32.tflite, model_int8.tflite, parity.md"),
        (folder / "benchmark.json", "every latency, and the machine"),
    ):
        console.print(f"   {path}  [dim]{what}[/]", soft_wrap=True)


def _show_next(console: Console, run: Path, export: Path) -> None:
    console.print("\n[bold]Now with your own pictures[/], in FOLDER/images and FOLDER/masks")
    _print_lines(
        console,
        (
            "kseg fit --data FOLDER --name mine",
            "kseg evaluate runs/fit/mine",
            "kseg export runs/fit/mine",
            "kseg benchmark saved_models/mine",
        ),
    )
    console.print("or with this model")
    _print_lines(
        console,
        (
            shell_command("kseg", "evaluate", run),
            shell_command("kseg", "predict", export / "model_int8.tflite", "PHOTOS", "--out", "masks", "--overlay"),
        ),
    )


def _print_lines(console: Console, lines: Sequence[str]) -> None:
    for line in lines:
        console.print(f"   {line}", markup=False, soft_wrap=True)


def judge(iou: float, failures: Mapping[str, str]) -> None:
    """Check the result of the demo.

    Args:
        iou: Foreground IoU on the test split.
        failures: Artifact → the reason why it could not be exported.

    Raises:
        PartialFailure: An artifact is missing, or the score is below `EXPECTED_IOU` or NaN.
    """
    if failures:
        what = "; ".join(f"{file}: {reason}" for file, reason in failures.items())
        raise PartialFailure(f"{len(failures)} artifacts could not be exported", found=what)
    if not iou >= EXPECTED_IOU:
        raise PartialFailure(
            "the demo's model is worse than it should be", expected=f"foreground IoU of at least {EXPECTED_IOU}",
            found=f"{iou:.3f}", remedy="train longer, as in kseg demo --epochs 30",
        )  # fmt: skip
