"""``kseg models list --measure``: the size of a network's TFLite files, and their latency on this machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kseg.errors import ArtifactError

if TYPE_CHECKING:
    from kseg.exporters.conversion import Conversion
    from kseg.exporters.table import Exporter
    from kseg.models import NetworkSpec

__all__ = ["Artifact", "measure_network"]

RUNS, WARMUP = 20, 3
CALIBRATION = 2
"""Random images for the calibration: neither size nor latency depends on them."""


@dataclass(frozen=True)
class Artifact:
    """One exported file.

    Args:
        format: The format's name in ``kseg export``.
        quantization: ``none`` or ``int8``.
        bytes: Size of the file; None where the export failed.
        milliseconds: Median latency of a call; None where it could not be run.
        threads: CPU threads.
        error: The message, where one of them failed.
    """

    format: str
    quantization: str
    bytes: int | None = None
    milliseconds: float | None = None
    threads: int | None = None
    error: str | None = None


def measure_network(spec: NetworkSpec, model: Any, threads: int | None) -> tuple[Artifact, ...]:
    """Export a network with random weights to float32 and int8 TFLite, and time each file in a fresh process.

    Args:
        spec: The network.
        model: The same network, built.
        threads: CPU threads; None for all cores.
    """
    import tempfile

    from kseg.exporters.table import choose

    conversion = _conversion(spec, model)
    with tempfile.TemporaryDirectory(prefix="kseg-") as folder:
        exporters = choose(["tflite"], ["none", "int8"])
        return tuple(_measure(conversion, exporter, Path(folder), threads) for exporter in exporters)


def _conversion(spec: NetworkSpec, model: Any) -> Conversion:
    import numpy as np

    from kseg.card import ModelCard
    from kseg.exporters.conversion import Conversion
    from kseg.labels import LabelMap

    card = ModelCard(
        spec.encoder, f"{spec.arch}/{spec.encoder}", *spec.size, LabelMap(("background", "object")),
        normalization=spec.scaling,
    )  # fmt: skip
    images = np.random.default_rng(0).integers(0, 256, (CALIBRATION, *spec.size, 3), np.uint8)
    return Conversion(model, card, list(images))


def _measure(conversion: Conversion, exporter: Exporter, folder: Path, threads: int | None) -> Artifact:
    from kseg.latency import Settings, find_targets, run_benchmark

    path = folder / exporter.file
    try:
        exporter.write(conversion, path)
    except ArtifactError as error:
        return Artifact(exporter.format, exporter.quantization, error=str(error))
    settings = Settings(("cpu",), (threads,) if threads else None, RUNS, WARMUP)
    (row,) = run_benchmark(find_targets([path]), settings).rows
    median = row.latency_ms.p50 if row.latency_ms else None
    return Artifact(exporter.format, exporter.quantization, row.bytes, median, row.threads, row.error)
