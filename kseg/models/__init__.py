"""Networks: named parts (encoder → bottleneck → decoder → head) joined into one functional ``keras.Model``.

`NetworkSpec` is pure Python, so that a wrong name or size is told before Keras is imported; the rest loads Keras when
it is first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kseg.models.specs import NetworkSpec
from kseg.models.tables import ENCODERS

if TYPE_CHECKING:
    from kseg.models.build import build_model
    from kseg.models.files import load_model, save_model

__all__ = ["ENCODERS", "NetworkSpec", "build_model", "load_model", "save_model"]

_LAZY = {"build_model": "build", "load_model": "files", "save_model": "files"}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        from importlib import import_module

        return getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
