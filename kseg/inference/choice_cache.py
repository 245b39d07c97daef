"""What was measured of a model's runtimes on this machine, remembered in the cache folder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from kseg import __version__
from kseg.errors import OutputError
from kseg.files import cache_folder, content_sha256, make_folder, write_json
from kseg.inference.runtime_table import DISTRIBUTIONS, RuntimeName
from kseg.processor import cpu_flags, cpu_name, usable_cores

__all__ = ["Measurement", "Measurements", "circumstances", "recall", "remember"]

_SCHEMA: Final = 1


@dataclass(frozen=True)
class Measurement:
    """A runtime with a model on this machine.

    Args:
        failure: Why it is not taken; None if it may be.
        load_s: Seconds to import it and load the model.
        latency_ms: The median latency of an image in milliseconds.
    """

    failure: str | None
    load_s: float
    latency_ms: float


@dataclass(frozen=True)
class Measurements:
    """All runtimes with a model on this machine.

    Args:
        runtimes: Runtime → its measurement.
        day: When they were measured, ISO 8601.
        attempts: How often on that day. A measurement in which a runtime was not ready in time is repeated: the machine
            may have been busy.
    """

    runtimes: Mapping[RuntimeName, Measurement]
    day: str
    attempts: int


def circumstances(model: Path, runtimes: Sequence[RuntimeName], threads: int | None) -> dict[str, Any]:
    """All that a measurement depends on, as plain JSON types: content, machine, versions and threads."""
    return {
        "model": content_sha256(model),
        "cpu": cpu_name(),
        "flags": sorted(cpu_flags()),
        "cores": usable_cores(),
        "threads": threads,
        "versions": {runtime: _version(runtime) for runtime in runtimes},
        "kseg": __version__,
    }


def recall(key: Mapping[str, Any]) -> Measurements | None:
    """What was measured under these circumstances; None if nothing was, or if the file is damaged."""
    try:
        data = json.loads(_file(key).read_text("utf-8"))
        if data["schema"] != _SCHEMA or data["circumstances"] != key:
            return None
        runtimes = {runtime: _parse(data["runtimes"][runtime]) for runtime in key["versions"]}
        return Measurements(runtimes, str(data["day"]), int(data["attempts"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def remember(key: Mapping[str, Any], measurements: Measurements) -> None:
    """Write the measurements into the cache folder. Does nothing where it cannot be written."""
    try:
        make_folder(_file(key).parent)
        write_json(_file(key), {"schema": _SCHEMA, "circumstances": key, **asdict(measurements)})
    except OutputError:
        pass  # they are measured again the next time


def _file(key: Mapping[str, Any]) -> Path:
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
    return cache_folder() / "runtimes" / f"{digest[:32]}.json"


def _parse(data: Mapping[str, Any]) -> Measurement:
    failure = data["failure"]
    return Measurement(None if failure is None else str(failure), float(data["load_s"]), float(data["latency_ms"]))


def _version(runtime: RuntimeName) -> str:
    for distribution in DISTRIBUTIONS[runtime]:
        try:
            return version(distribution)
        except PackageNotFoundError:
            continue
    return ""
