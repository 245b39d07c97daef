"""The errors of networks that a runtime cannot load, or that fail when they run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from kseg.errors import ArtifactError, KsegError, abbreviate

if TYPE_CHECKING:
    from kseg.inference.predictor import Run

__all__ = ["guarded", "load_failure"]

_MISSING: Final = (
    re.compile(r"unresolved custom op: ([\w.:]+?)\.?(?:\s|$)"),  # LiteRT
    re.compile(r"([\w.]+:\w+)\(-?\d+\) is not a registered function/op"),  # ONNX Runtime
    re.compile(r"No Op registered for (\w+)"),
    re.compile(r"No conversion rule found for operations: ([\w.:, ]+)"),  # OpenVINO
    re.compile(r"No translator found for (\w+) node"),
    re.compile(r"Cannot create (\w+) layer"),
    re.compile(r"Op type not registered '(\w+)'"),  # TensorFlow
)
_FLEX: Final = re.compile(rb"Flex([A-Z]\w{1,60})")
"""A TensorFlow operation in a TFLite file, which runs by TensorFlow's Flex delegate only."""


def load_failure(path: Path, reason: str, *, runtime: str) -> ArtifactError:
    """The error of a file that a runtime does not load; names the operation if one is missing.

    Args:
        path: The file or folder.
        reason: The runtime's own message.
        runtime: The runtime's name in messages, such as ``LiteRT``.
    """
    operations = _missing_operations(path, reason)
    if operations:
        return ArtifactError(
            f"{runtime} lacks an operation of the network", where=str(path), found=operations,
            remedy="use another --runtime, or build the network without it",
        )  # fmt: skip
    lines = [line.strip() for line in reason.splitlines() if line.strip()] or ["nothing"]
    # OpenVINO begins with the places in its own code.
    shown = lines[-1] if runtime == "OpenVINO" else lines[0]
    return ArtifactError(
        "the model is corrupt", where=str(path), expected=f"a network that {runtime} loads", found=shown[:200],
        remedy="export it again",
    )  # fmt: skip


def _missing_operations(path: Path, reason: str) -> str | None:
    if "Flex delegate" in reason:
        return abbreviate(sorted({f"{name.decode()} (TensorFlow's)" for name in _FLEX.findall(path.read_bytes())}))
    matches = [match for pattern in _MISSING if (match := pattern.search(reason))]
    return matches[0].group(1).strip() if matches else None


def guarded(run: Run, path: Path) -> Run:
    """The network, whose own failures when it runs are an ArtifactError.

    A network may load and still not run: two shapes of it that do not fit, say.
    """

    def guard(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        try:
            return run(images)
        except (KsegError, MemoryError):
            raise
        except Exception as error:  # the exceptions of the runtimes have no base class in common
            lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
            raise ArtifactError(
                "the network fails when it runs", where=str(path), found=lines[0][:200], remedy="export it again"
            ) from error  # fmt: skip

    return guard
