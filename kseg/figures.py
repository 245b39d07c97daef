"""Figures drawn by matplotlib, which is loaded when one is drawn."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from kseg.files import write_aside

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["figure"]


@contextmanager
def figure(
    path: Path, width: float, height: float, *, layout: Literal["constrained"] | None = "constrained", dpi: int = 110
) -> Iterator[Figure]:
    """Yield a matplotlib figure, and write it to ``path`` when the block ends. No window, no pyplot state.

    Args:
        path: The file, whose suffix chooses the format.
        width, height: Size in inches.
        layout: Matplotlib's layout engine; None for axes that are placed by hand.
        dpi: Pixels per inch.

    Raises:
        OutputError: The file cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(width, height), layout=layout)
    FigureCanvasAgg(drawn)
    yield drawn
    with write_aside(path) as aside:
        drawn.savefig(aside, dpi=dpi, facecolor="white")
