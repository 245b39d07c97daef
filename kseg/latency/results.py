"""The results of a benchmark, and their JSON file, which can be compared on another machine."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kseg.errors import ArtifactError
from kseg.files import write_json
from kseg.html import rich_html

__all__ = ["Latency", "Results", "Row", "read_results", "write_results"]

KIND = "kseg-benchmark"
SCHEMA = 1


@dataclass(frozen=True)
class Latency:
    """Statistics of the latency in milliseconds a call, over all timed calls."""

    p50: float
    p90: float
    p99: float
    mean: float
    min: float
    max: float
    std: float

    @classmethod
    def of(cls, milliseconds: Sequence[float]) -> Latency:
        """The statistics of these latencies; percentiles are interpolated linearly."""
        values = np.asarray(milliseconds, np.float64)
        p50, p90, p99 = np.percentile(values, (50, 90, 99))
        return cls(*(float(v) for v in (p50, p90, p99, values.mean(), values.min(), values.max(), values.std())))


@dataclass(frozen=True)
class Row:
    """The measurement of one model on one device.

    Args:
        model: The path of the model or export folder as the user wrote it, with the file's name in an export folder.
        runtime: What ran it: ``keras``, ``saved_model``, ``litert``, ``onnxruntime`` or ``openvino``.
        bytes: The size on disk.
        sha256: The hash of the file, or of all files in the folder; it identifies a model on another machine.
        device: ``cpu`` or ``gpu``.
        threads: The number of CPU threads; None on a GPU.
        batch: Images in a call.
        error: Why nothing was measured; None if it was. All fields below but ``failed`` are None then.
        failed: Whether the measurement failed; False if it was skipped, since this machine cannot run it.
        input: Height, width and channels of an image.
        load_s: Seconds from the start of the process until the model is ready.
        first_ms: Milliseconds of the first call, which traces and allocates.
        peak_rss_mb: The peak memory of the process in MiB.
        images_per_s: The throughput over all timed calls.
        latency_ms: Statistics of the timed calls.
    """

    model: str
    runtime: str
    bytes: int
    sha256: str
    device: str
    threads: int | None
    batch: int
    error: str | None = None
    failed: bool = False
    input: tuple[int, ...] | None = None
    load_s: float | None = None
    first_ms: float | None = None
    peak_rss_mb: float | None = None
    images_per_s: float | None = None
    latency_ms: Latency | None = None

    @property
    def p50(self) -> float:
        """The median latency in milliseconds; NaN if nothing was measured."""
        return self.latency_ms.p50 if self.latency_ms else math.nan


@dataclass(frozen=True, repr=False)
class Results:
    """The measurements on one machine.

    Args:
        date: The time of the benchmark, ISO 8601.
        environment: The machine and the versions, see `kseg.environment.environment`.
        settings: ``runs``, ``warmup``, ``batch`` and ``seed``, the same for all rows.
        rows: The measurements.
    """

    date: str
    environment: dict[str, Any]
    settings: dict[str, int]
    rows: tuple[Row, ...]

    def __repr__(self) -> str:
        return f"Results({', '.join(f'{row.model} on {row.device}: {row.p50:.2f} ms' for row in self.rows)})"

    def _repr_html_(self) -> str:
        from kseg.latency.report import results_table

        return rich_html(results_table(self), width=160)


def write_results(path: Path, results: Results) -> None:
    """Write the results as JSON. Raises OutputError."""
    write_json(path, {"kind": KIND, "schema": SCHEMA, **asdict(results)})


def read_results(path: Path) -> Results:
    """Read a file that `write_results` wrote, here or on another machine.

    Raises:
        ArtifactError: There is no such file, or it is not a results file of this schema.
    """
    try:
        data = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise _not_results(path, error.strerror or str(error)) from error
    except ValueError as error:
        raise _not_results(path, f"no JSON ({error})") from error
    if not isinstance(data, dict) or data.get("kind") != KIND:
        raise _not_results(path, "another kind of JSON")
    if data.get("schema") != SCHEMA:
        raise ArtifactError(
            "the benchmark results have another schema", where=str(path), expected=str(SCHEMA),
            found=str(data.get("schema")), remedy="measure again with this version of kseg",
        )  # fmt: skip
    try:
        return _parse(data)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _not_results(path, f"a damaged one ({type(error).__name__}: {error})") from error


def _parse(data: Mapping[str, Any]) -> Results:
    environment = dict(data["environment"])
    # The keys that `describe_environment` reads; a missing one raises KeyError here.
    _ = environment["cpu"], environment["cores"], environment["python"], dict(environment["packages"])
    settings = {name: int(data["settings"][name]) for name in ("runs", "warmup", "batch", "seed")}
    return Results(str(data["date"]), environment, settings, tuple(_parse_row(row) for row in data["rows"]))


def _parse_row(data: Mapping[str, Any]) -> Row:
    latency = data["latency_ms"]
    threads = data["threads"]
    measured = {
        name: None if data[name] is None else float(data[name])
        for name in ("load_s", "first_ms", "peak_rss_mb", "images_per_s")
    }
    row = Row(
        model=str(data["model"]),
        runtime=str(data["runtime"]),
        bytes=int(data["bytes"]),
        sha256=str(data["sha256"]),
        device=str(data["device"]),
        threads=None if threads is None else int(threads),
        batch=int(data["batch"]),
        error=None if data["error"] is None else str(data["error"]),
        failed=bool(data["failed"]),
        input=None if data["input"] is None else tuple(int(n) for n in data["input"]),
        latency_ms=None if latency is None else Latency(**{k: float(v) for k, v in latency.items()}),
        **measured,
    )
    if row.error is None and not row.p50 > 0:
        raise ValueError(f"no latency for {row.model}")
    return row


def _not_results(path: Path, content: str) -> ArtifactError:
    return ArtifactError(
        "not a file of benchmark results",
        where=str(path),
        expected="a file that `kseg benchmark --json` wrote",
        found=content,
    )
