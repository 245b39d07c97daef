"""``kseg benchmark``: measure the speed of artifacts, and compare it with another machine's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kseg.cli.options import PATH
from kseg.errors import PartialFailure, UsageError

if TYPE_CHECKING:
    from kseg.latency import Results

__all__ = ["command"]

DEVICES = {"cpu": "cpu", "gpu": "gpu"}


@click.command("benchmark")
@click.argument("models", metavar="MODEL...", nargs=-1, required=True, type=PATH)
@click.option(
    "--runtime", metavar="LIST",
    help="Runtimes to measure each model with, where they run its kind of file, or all.  [default: each model's own]",
)  # fmt: skip
@click.option("--device", metavar="LIST", help="cpu, gpu or both.  [default: cpu, and gpu if TensorFlow sees one]")
@click.option(
    "--threads", metavar="LIST", help="Numbers of CPU threads to measure with, e.g. 1,2.  [default: all cores]"
)
@click.option("--num-runs", type=click.IntRange(min=1), default=50, show_default=True, help="Timed calls.")
@click.option(
    "--warmup", type=click.IntRange(min=1), default=10, show_default=True, help="Calls before the timed ones."
)
@click.option("--batch", type=click.IntRange(min=1), default=1, show_default=True, help="Images in a call.")
@click.option("--json", "json_file", type=PATH, help="Write the results to this file.")
@click.option("--against", type=PATH, help="Results of another machine (--json there) to compare with.")
def command(
    models: tuple[Path, ...],
    runtime: str | None,
    device: str | None,
    threads: str | None,
    num_runs: int,
    warmup: int,
    batch: int,
    json_file: Path | None,
    against: Path | None,
) -> None:
    """Measure latency, throughput, memory and load time of Keras, SavedModel, TFLite, ONNX and OpenVINO artifacts.

    MODEL is a run folder, a SavedModel or OpenVINO folder, a .keras, .tflite or .onnx file, or an export folder, which
    stands for every model in it. Inference only, on fixed random pixels; each row is measured in a fresh process.

    \b
      kseg benchmark saved_models/NAME --threads 1,2
      kseg benchmark saved_models/NAME --runtime all
      kseg benchmark saved_models/NAME --device gpu --json gpu.json      on the machine with a GPU
      kseg benchmark saved_models/NAME --against gpu.json                here
    """
    devices = _devices(device)
    runtimes: Any = None if runtime is None else _split(runtime, "--runtime")
    counts = _counts(threads)
    import kseg
    from kseg.files import make_folder
    from kseg.latency import check_comparable, read_results, write_results
    from kseg.provenance import Origin, mark_file, require_replaceable

    other = read_results(against) if against else None
    if other:
        check_comparable(batch, other, str(against))
    origin = Origin.of("kseg benchmark", *models)
    if json_file:
        require_replaceable(json_file, origin, option="--json")
        make_folder(json_file.absolute().parent)
    results = kseg.benchmark(
        *models, runtimes=runtimes, devices=devices, threads=counts, num_runs=num_runs, warmup=warmup, batch=batch
    )
    if json_file:
        write_results(json_file, results)
        mark_file(json_file, origin)
    _show(results, other)
    _fail_if_empty(results, devices)


def _devices(text: str | None) -> Any:
    from kseg.registry import lookup

    if text is None:
        return None
    return tuple(
        dict.fromkeys(lookup(DEVICES, name, kind="device", where="--device") for name in _split(text, "--device"))
    )


def _counts(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    words = _split(text, "--threads")
    if not all(word.isdecimal() and 1 <= int(word) <= 1024 for word in words):
        raise UsageError("not numbers of threads", where="--threads", expected="1 to 1024, e.g. 1,2,4", found=text)
    return tuple(dict.fromkeys(int(word) for word in words))


def _split(text: str, flag: str) -> list[str]:
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not words:
        raise UsageError("the list is empty", where=flag, remedy="leave the flag out for the default")
    return words


def _show(results: Results, other: Results | None) -> None:
    from rich.console import Console

    from kseg.latency import comparison_table, results_table

    console = Console() if Console().is_terminal else Console(width=160)
    console.print(comparison_table(results, other) if other else results_table(results))
    for row in results.rows:
        if row.error:
            outcome = "failed" if row.failed else "skipped"
            console.print(
                f"{outcome}: {row.model} with {row.runtime} on {row.device}: {row.error}",
                soft_wrap=True,
                highlight=False,
                markup=False,
            )


def _fail_if_empty(results: Results, devices: Any) -> None:
    failed = [row for row in results.rows if row.failed]
    if failed:
        raise PartialFailure(f"{len(failed)} of {len(results.rows)} measurements failed", found=failed[0].error)
    if not any(row.latency_ms for row in results.rows):
        remedy = "leave --device out" if devices else None
        raise PartialFailure("nothing could be measured", found=results.rows[0].error, remedy=remedy)
