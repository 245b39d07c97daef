"""The main job: a configuration in, a run folder with a trained network out.

`Reporter` is light; `fit` loads TensorFlow when it is first asked for, after the configuration has been checked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kseg.training.reporter import EpochRow, Reporter

if TYPE_CHECKING:
    from kseg.training.stage import FitResult, fit

__all__ = ["EpochRow", "FitResult", "Reporter", "fit"]


def __getattr__(name: str) -> Any:
    if name in {"FitResult", "fit"}:
        from importlib import import_module

        return getattr(import_module(f"{__name__}.stage"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
