"""Climb the ladder: int8, int8 with the worst layers in float, int16 activations, float16, dynamic range, float32."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from kseg.errors import KsegError
from kseg.exporters.conversion import Conversion
from kseg.exporters.formats.tflite import save_file, write_tflite
from kseg.exporters.formats.tflite_quantized import write_tflite_dynamic, write_tflite_fp16, write_tflite_int16x8
from kseg.exporters.ladder.graph import CalibratedGraph
from kseg.exporters.ladder.ranking import Ranking, rank_groups
from kseg.exporters.ladder.rungs import Ladder, Rung
from kseg.exporters.ladder.stopwatch import latencies_ms
from kseg.exporters.parity.row import ParityRow
from kseg.inference import load_predictor

__all__ = ["Measure", "climb"]

logger = logging.getLogger("kseg")

Measure = Callable[[Path, str, str], ParityRow]
"""Scores a file; called with its path, the rung's name and the quantisation. The row is judged by the gate."""
Progress = Callable[[str, int, int], None]

_WRITERS: Final[Mapping[str, Callable[[Conversion, Path], None]]] = {
    "none": write_tflite,
    "int16x8": write_tflite_int16x8,
    "fp16": write_tflite_fp16,
    "dynamic": write_tflite_dynamic,
}
_AFTER_INT8: Final = ("int16x8", "fp16", "dynamic")


def climb(
    conversion: Conversion,
    measure: Measure,
    folder: Path,
    *,
    threads: int | None = None,
    on_progress: Progress | None = None,
) -> Ladder:
    """Try quantisations of TFLite until some pass the gate, and tell the smallest and the fastest of them.

    ::

        float32, int8             always; where int8 passes and is not slower than float32 here, that is all
        int8, 1, 2, 4 … in float  while int8 does not pass: with the groups of layers in float that cost most
        int16x8, fp16, dynamic    then; not scored if a file that passes is both smaller and faster

    Args:
        conversion: The model, its card and the calibration images.
        measure: Scores a file on held-out images.
        folder: An existing folder for the files; what is kept has to be moved out of it.
        threads: The number of CPU threads with which the latency is measured. Defaults to all cores.
        on_progress: Called with the current step, and (done, total) of it.

    Returns:
        The rungs, with those to keep. Rungs that cannot be made or run are among them, with the reason.

    Raises:
        ArtifactError: The network cannot be calibrated.
    """
    climber = _Climber(conversion, measure, folder, threads, on_progress or (lambda *_: None))
    return climber.climb()


@dataclass(frozen=True)
class _Climber:
    conversion: Conversion
    measure: Measure
    folder: Path
    threads: int | None
    progress: Progress

    def climb(self) -> Ladder:
        self.progress("calibrating int8", 0, 1)
        graph = CalibratedGraph.calibrate(self.conversion.model, self.conversion.calibration)
        rungs = self._timed([self._scored(self._other("none")), self._scored(self._int8(graph, ()))])
        if _suffices(rungs):
            return Ladder(tuple(rungs))
        ranking = None
        if not rungs[-1].passed:
            step = "looking for the layers that cost most"
            ranking = rank_groups(graph, self.conversion, self.folder, lambda *n: self.progress(step, *n))
            rungs += self._selective(graph, ranking)
        rungs = self._timed([*rungs, *(self._other(quantization) for quantization in _AFTER_INT8)])
        scored = rungs[: -len(_AFTER_INT8)]
        # The cheapest first: a 16-bit file takes LiteRT many times as long, and is seldom the smallest.
        for rung in sorted(rungs[-len(_AFTER_INT8) :], key=lambda rung: rung.latency_ms or 0):
            scored.append(self._scored(rung) if _may_be_kept(rung, scored) else rung)
        order = [rung.name for rung in rungs]
        return Ladder(tuple(sorted(scored, key=lambda rung: order.index(rung.name))), ranking)

    def _selective(self, graph: CalibratedGraph, ranking: Ranking) -> Iterator[Rung]:
        """The int8 files with 1, 2, 4 … of the worst groups in float, up to the first that passes."""
        groups = [pair.group for pair in ranking.groups]
        count = 1
        while count < len(groups):
            rung = self._scored(self._int8(graph, tuple(groups[:count])))
            yield rung
            if rung.passed:
                return
            count *= 2

    def _int8(self, graph: CalibratedGraph, float_groups: tuple[str, ...]) -> Rung:
        def write(path: Path) -> None:
            save_file(graph.quantised(float_groups), self.conversion.card, path)

        name = f"int8, {len(float_groups)} in float" if float_groups else "int8"
        rung = self._written(Rung(name, "int8", self._path(name), float_groups), write)
        layers = graph.float_layers(rung.path.read_bytes()) if float_groups and not rung.failure else ()
        return replace(rung, float_layers=layers)

    def _other(self, quantization: str) -> Rung:
        name = "float32" if quantization == "none" else quantization
        rung = Rung(name, quantization, self._path(name))
        return self._written(rung, lambda path: _WRITERS[quantization](self.conversion, path))

    def _path(self, name: str) -> Path:
        return self.folder / f"{name.replace(', ', '_').replace(' ', '_')}.tflite"

    def _written(self, rung: Rung, write: Callable[[Path], None]) -> Rung:
        self.progress(f"converting {rung.name}", 0, 1)
        try:
            write(rung.path)
            return replace(rung, bytes=rung.path.stat().st_size)
        # Converters and LiteRT raise almost anything; another rung may do.
        except Exception as error:
            return _failed(rung, error)

    def _scored(self, rung: Rung) -> Rung:
        if rung.failure:
            return rung
        try:
            return replace(rung, row=self.measure(rung.path, rung.name, rung.quantization))
        except Exception as error:  # as in `_written`
            return _failed(rung, error)

    def _timed(self, rungs: list[Rung]) -> list[Rung]:
        """The rungs with their latencies, measured in turn."""
        self.progress("measuring the latency", 0, 1)
        predictors = {
            rung.name: load_predictor(rung.path, threads=self.threads) for rung in rungs if not rung.failure
        }  # fmt: skip
        latencies = latencies_ms(predictors)
        return [replace(rung, latency_ms=latencies.get(rung.name)) for rung in rungs]


def _failed(rung: Rung, error: Exception) -> Rung:
    logger.debug("the rung %s failed", rung.name, exc_info=error)
    lines = str(error).strip().splitlines() or [""]
    text = lines[0][:200]
    return replace(rung, failure=text if isinstance(error, KsegError) else f"{type(error).__name__}: {text}")


def _suffices(rungs: list[Rung]) -> bool:
    """Whether int8 passes and is not slower than float32."""
    float32, int8 = rungs
    return int8.passed and int8.latency_ms is not None and int8.latency_ms <= (float32.latency_ms or int8.latency_ms)


def _may_be_kept(rung: Rung, scored: list[Rung]) -> bool:
    """Whether no file that passes is both smaller and faster."""
    return not any(
        other.passed and other.bytes <= rung.bytes and (other.latency_ms or 0) <= (rung.latency_ms or 0)
        for other in scored
    )
