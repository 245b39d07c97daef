"""`kseg.load`, `kseg.evaluate`, `kseg.export` and `kseg.benchmark`: use a trained model."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from kseg.api.progress import progress_bar, status_line
from kseg.data.sample import SplitName
from kseg.errors import UsageError
from kseg.evaluation import EvaluationPlan, Scores, load_data
from kseg.exporters import MAX_IOU_DROP, ExportReport, choose, climbs, export_model
from kseg.exporters.source import find_source
from kseg.files import expand_home
from kseg.inference import Model, PredictionPlan, RuntimeChoice, RuntimeName, resolve_model
from kseg.latency import Results, Settings, find_targets, run_benchmark
from kseg.latency.stage import Device
from kseg.sizes import Size
from kseg.tensorflow_runtime import DeviceName, load_tensorflow

__all__ = ["benchmark", "evaluate", "export", "load"]

PathLike = str | os.PathLike[str]


def load(
    model: PathLike,
    *,
    runtime: RuntimeChoice | None = None,
    device: DeviceName = "auto",
    threads: int | None = None,
    threshold: float | None = None,
    flip: bool = False,
    zoom: float = 1.0,
    min_area: int | str | Sequence[int | str] = (),
    size: Size | None = None,
    classes: Sequence[str] | None = None,
) -> Model:
    """Load a trained model for prediction.

    Args:
        model: A `Run`, a run folder, a ``.keras``, ``.tflite`` or ``.onnx`` file, or a SavedModel folder, as kseg
            writes them.
        runtime: What runs the model: ``litert`` or ``openvino`` (.tflite), ``onnxruntime`` or ``openvino`` (.onnx),
            ``openvino``, ``keras``, ``saved_model``; ``auto`` measures once which of the installed ones is the fastest
            here with this file. Defaults to the first that is named for its kind.
        device: ``auto``, ``cpu`` or ``gpu``. Defaults to ``auto``: a GPU if the runtime sees one.
        threads: The number of CPU threads. Defaults to the runtime's choice.
        threshold: Pixels with at least this score are foreground (background and one class only). Defaults to the
            model's.
        flip: Also predict the mirror image, and average the scores: slightly better, at twice the time. Defaults to
            False.
        zoom: Above 1, also predict the image enlarged by this factor, in windows: finds smaller objects. Defaults to 1.
        min_area: The smallest area of a region in pixels: ``50``, ``"car=50"``, or a list of these; smaller regions
            get the classes around them. Defaults to none.
        size: Height and width of the input of a model without a card, which kseg did not write.
        classes: The names of the classes of such a model, in the order of its scores, the background first. With
            background and one class, the model returns one score a pixel, that of the class.

    Returns:
        The model: a function of a picture or of a list of pictures, see `Model`.

    Raises:
        ArtifactError: There is no such model, or it is corrupt or not kseg's.
        UsageError: An option is out of range, there is no GPU, or an extra of kseg is missing.

    Example:

    ::

        model = kseg.load("saved_models/photos/model_int8.tflite")
        result = model("photo.jpg")
        result.mask, result.scores, result.overlay(), result.save("mask.png")
    """
    plan = PredictionPlan.make(
        expand_home(model),
        runtime=runtime,
        device=device,
        threads=threads,
        threshold=threshold,
        flip=flip,
        zoom=zoom,
        min_area=_areas(min_area),
        size=size,
        classes=classes,
    )
    return Model(plan.with_runtime().load(), plan.model)


def evaluate(
    model: PathLike,
    data: PathLike | None = None,
    *,
    split: SplitName | Literal["all"] | None = None,
    runtime: RuntimeChoice | None = None,
    device: DeviceName = "auto",
    threads: int | None = None,
    threshold: float | None = None,
    flip: bool = False,
    zoom: float = 1.0,
    min_area: int | str | Sequence[int | str] = (),
    boundary: bool = True,
) -> Scores:
    """Score a model against ground truth, at the images' original size, as ``kseg evaluate`` does.

    Args:
        model: As in `load`; so are ``runtime``, ``device``, ``threads``, ``threshold``, ``flip``, ``zoom`` and
            ``min_area``.
        data: A YAML file, a run folder, a ``data.json`` or a folder of images and masks. Defaults to the data of the
            model's run.
        split: ``train``, ``val``, ``test`` or ``all``. Defaults to ``test``, or ``val`` if there are no test images.
        boundary: Also compute boundary scores, which are slow on large images. Defaults to True.

    Returns:
        The scores: ``scores.iou``, ``scores.per_class`` and more, see `Scores`. Shown as tables in a notebook.

    Raises:
        ArtifactError, UsageError: As in `load`; or ``data`` is missing and the model is not in a run folder.
        ConfigError, DataError: The data cannot be used, have other classes, or the split is empty.

    Example:

    ::

        scores = kseg.evaluate(run)
        scores.iou, scores.per_class["cat"]["recall"]
    """
    prediction = PredictionPlan.make(
        expand_home(model),
        runtime=runtime,
        device=device,
        threads=threads,
        threshold=threshold,
        flip=flip,
        zoom=zoom,
        min_area=_areas(min_area),
    )
    plan = EvaluationPlan.make(prediction, None if data is None else expand_home(data), split)
    with progress_bar("evaluating") as progress:
        return plan.run(boundary=boundary, on_progress=progress)


def export(
    model: PathLike,
    *,
    formats: str | Sequence[str] | None = None,
    quantize: str | Sequence[str] = ("none", "int8"),
    out: PathLike | None = None,
    data: PathLike | None = None,
    calibration_images: int = 100,
    split: SplitName | Literal["all"] | None = None,
    max_iou_drop: float = MAX_IOU_DROP,
    force: bool = False,
    reference: PathLike | None = None,
    threads: int | None = None,
) -> ExportReport:
    """Write a trained model in other formats, and keep each file that is still that model, as ``kseg export`` does.

    Args:
        model: A `Run`, a run folder or a ``.keras`` file that kseg wrote.
        formats: ``saved_model``, ``tflite``, ``onnx``, ``openvino``. Defaults to all whose extra is installed.
        quantize: ``none`` (float32), ``fp16``, ``dynamic``, ``int8``, ``int16x8``, ``qat``, ``auto``. Defaults to
            ``none`` and ``int8``.
        out: The folder. Defaults to ``saved_models/NAME``.
        data: The model's own data, as in `evaluate`. Required if the model is not in a run folder.
        calibration_images: The number of training images for the quantiser. Defaults to 100.
        split: The images that score the files. Defaults to ``test``, or ``val`` if there are no test images.
        max_iou_drop: How far the foreground IoU of a file may be below the model's, 0..1; otherwise it is not written.
            Defaults to 0.01.
        force: Write such files nevertheless, marked as failed in their cards. Defaults to False.
        reference: The model whose foreground IoU counts, if it is not ``model``: for a pruned or quantisation-aware
            model the one that it was fine-tuned from. A run, or any model file of the same classes.
        threads: The number of CPU threads with which the files are scored. Defaults to the runtime's choice.

    Returns:
        The report: ``report.out``, ``report.rows`` (the scores of each file on each runtime), ``report.rejected`` (the
        files that did not pass) and ``report.failures``. Shown as a table in a notebook.

    Raises:
        UnknownNameError, UsageError: There is no such format or quantisation, a number is out of range, an extra of
            kseg is missing, or ``data`` is missing.
        ArtifactError: The model or the reference cannot be loaded, or every file failed.
        ConfigError, DataError: The data cannot be used.
        OutputError: The folder cannot be written, or it holds the export of another model.

    Example:

    ::

        report = kseg.export(run, formats=["tflite"])
        report.out / "model_int8.tflite"
    """
    if not 0.0 <= max_iou_drop <= 1.0:
        raise UsageError("not a drop of an IoU", where="--max-iou-drop", expected="0 to 1", found=f"{max_iou_drop:g}")
    format_names, quantizations = None if formats is None else _as_list(formats), _as_list(quantize)
    exporters, ladder = choose(format_names, quantizations), climbs(format_names, quantizations)
    source = find_source(expand_home(model), data_named=data is not None)
    dataset = load_data(None if data is None else expand_home(data), source.path)
    load_tensorflow()
    folder = Path("saved_models") / source.name if out is None else expand_home(out)
    with status_line("loading the model") as progress:
        return export_model(
            source.path, dataset, folder, exporters, ladder=ladder, calibration=calibration_images, split=split,
            max_iou_drop=max_iou_drop, force=force, threads=threads,
            reference=None if reference is None else resolve_model(expand_home(reference)), on_progress=progress,
        )  # fmt: skip


def benchmark(
    *models: PathLike,
    runtimes: Literal["all"] | RuntimeName | Sequence[RuntimeName] | None = None,
    devices: Device | Sequence[Device] | None = None,
    threads: int | Sequence[int] | None = None,
    num_runs: int = 50,
    warmup: int = 10,
    batch: int = 1,
) -> Results:
    """Measure latency, throughput, memory and load time of models, each in a fresh process, as ``kseg benchmark`` does.

    Args:
        models: Runs, model files, or export folders, which stand for every model in them.
        runtimes: The runtimes to measure each model with, where they are installed and run its kind of file; ``all``
            for every such runtime. Defaults to each model's own.
        devices: ``cpu``, ``gpu`` or both. Defaults to the CPU, and the GPU if TensorFlow sees one.
        threads: Numbers of CPU threads to measure with. Defaults to the number of cores.
        num_runs: The number of timed calls. Defaults to 50.
        warmup: The number of calls before them. Defaults to 10.
        batch: Images in a call. Defaults to 1.

    Returns:
        The results: ``results.rows`` has a row for each model, runtime, device and number of threads. Shown as a table
        in a notebook.

    Raises:
        ArtifactError, UsageError: There is no such model, no models are named, or a number is below 1.

    Example:

    ::

        results = kseg.benchmark("saved_models/photos", threads=[1, 2])
        results.rows[0].p50
    """
    settings = Settings(
        None if devices is None else tuple(_as_list(devices)), None if threads is None else tuple(_as_list(threads)),
        num_runs, warmup, batch,
    )  # fmt: skip
    targets = find_targets([expand_home(model) for model in models], None if runtimes is None else _as_list(runtimes))
    with status_line("measuring") as progress:
        return run_benchmark(targets, settings, on_progress=lambda done, total: progress("measuring", done, total))


def _as_list(value: Any) -> list[Any]:
    """The values of a sequence as a list; a single string or number as a list with it."""
    return [value] if isinstance(value, (str, int)) else list(value)


def _areas(value: Any) -> list[str]:
    return [str(area) for area in _as_list(value)]
