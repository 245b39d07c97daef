"""The figures of Matplotlib that a function draws, to look into."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import pytest

from kseg.figures import figure

__all__ = ["watch_figures"]


def watch_figures(module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The list that each figure which the module draws from now on is added to, complete."""
    drawn: list[Any] = []

    @contextmanager
    def watched(*args: Any, **options: Any) -> Iterator[Any]:
        with figure(*args, **options) as canvas:
            yield canvas
            drawn.append(canvas)

    monkeypatch.setattr(module, "figure", watched)
    return drawn
