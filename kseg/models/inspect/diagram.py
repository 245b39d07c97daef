"""A diagram of a network: a box a part, a row a stride, the encoder on the left and the decoder on the right.

Drawn by matplotlib, since Graphviz is a program that many machines do not have.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from kseg.errors import UsageError
from kseg.figures import figure

if TYPE_CHECKING:
    from kseg.models.build import Kind
    from kseg.models.inspect.parts import Part, Summary

__all__ = ["check_format", "draw_network", "place", "short_count"]

FORMATS: Final = (".png", ".svg")

_COLORS: Final[dict[Kind, tuple[str, str]]] = {
    # Fill and edge
    "image": ("#f3f4f6", "#6b7280"),
    "encoder": ("#dbeafe", "#1d4ed8"),
    "bottleneck": ("#ede9fe", "#6d28d9"),
    "decoder": ("#dcfce7", "#15803d"),
    "head": ("#ffedd5", "#c2410c"),
}
_INK: Final = "#111827"
_FAINT: Final = "#6b7280"
_SKIP: Final = "#94a3b8"
_BOX: Final = (0.74, 0.60)
"""Width and height of a box in a grid of 1 × 1."""
_INCHES: Final = (1.32, 1.18)
"""Width of a column and height of a row of the grid."""
_LEAST_COLUMNS: Final = 7.5
"""The least width of the diagram, in columns: that of the legend."""
_TITLES: Final = {"unet": "U-Net", "unetplusplus": "U-Net++", "deeplabv3plus": "DeepLabV3+"}

Point = tuple[float, float]
Place = tuple[float, int]
"""Column, and row from the top: 0 for stride 1, 1 for stride 2, 2 for stride 4 …"""


def check_format(path: Path) -> None:
    """Raise UsageError unless the suffix is one of `FORMATS`."""
    if path.suffix.lower() not in FORMATS:
        raise UsageError(
            "not a kind of picture that kseg draws", where=str(path), expected=" or ".join(FORMATS),
            found=repr(path.suffix),
        )  # fmt: skip


def short_count(number: int) -> str:
    """A number with three digits and a unit: ``299 M``, ``4.09 G``."""
    for size, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if number >= 0.9995 * size:
            value = number / size
            return f"{value:.{2 if value < 9.995 else 1 if value < 99.95 else 0}f}{unit}"
    return str(number)


def draw_network(path: Path, summary: Summary) -> None:
    """Draw a network by its parts.

    Args:
        path: A ``.png`` or ``.svg`` file.
        summary: The network's parts.

    Raises:
        UsageError: The file has another suffix.
        OutputError: The file cannot be written.
    """
    check_format(path)
    places = place(summary)
    view = _View.of(places)
    width, height = (view.right - view.left) * _INCHES[0], (view.bottom - view.top) * _INCHES[1]
    with figure(path, width, height, layout=None, dpi=100) as drawing:
        axes = drawing.add_axes((0, 0, 1, 1))
        axes.set(xlim=(view.left, view.right), ylim=(view.bottom, view.top))
        axes.axis("off")
        _draw_rows(axes, summary, places, view)
        _draw_arrows(axes, summary, places)
        for part in summary.parts:
            if part.name in places:
                _draw_box(axes, part, places[part.name], summary.macs)
        _draw_text(axes, summary, view)


class _View(NamedTuple):
    """The part of the grid that is shown, in columns and rows."""

    left: float
    top: float
    right: float
    bottom: float

    @classmethod
    def of(cls, places: Mapping[str, Place]) -> _View:
        """All boxes, the names of the rows to their left, the title above and the legend below."""
        columns, rows = zip(*places.values(), strict=True)
        left = min(columns) - 1.25
        return cls(left, -1.15, max(max(columns) + 0.55, left + _LEAST_COLUMNS), max(rows) + 1.05)


def place(summary: Summary) -> dict[str, Place]:
    """Where the box of each part is drawn; the normalisation has none of its own.

    A step down or up is one column to the right for each halving or doubling, so that arrows never point back.
    """
    first = next(part for part in summary.parts if part.kind == "encoder")
    places: dict[str, Place] = {"image": (_row(first) - 1 if _row(first) == 0 else 0, 0)}
    for part in summary.parts:
        if part.kind in ("encoder", "bottleneck", "decoder"):
            row = _row(part)
            # Skips come from the left in the same row, so the column follows from the inputs of other rows.
            before = [places[name] for name in part.sources if name in places and places[name][1] != row]
            before = before or [places[name] for name in part.sources if name in places] or [places["image"]]
            column = max(c + max(1, abs(r - row)) for c, r in before)
            places[part.name] = (column, row)
    places[first.name] = (_row(first), _row(first))
    column, row = places[summary.parts[-2].name]
    places["head"] = (column + max(1, row), 0)
    return places


def _row(part: Part) -> int:
    return part.stride.bit_length() - 1


def _draw_box(axes: Any, part: Part, at: Place, macs: int) -> None:
    """A box with the part's channels, size, work and share of the network's ``macs``."""
    from matplotlib.patches import FancyBboxPatch

    fill, edge = _COLORS[part.kind]
    width, height = _BOX
    (x, y), (rows, columns, channels) = at, part.shape
    corner = (x - width / 2, y - height / 2)
    style = "round,pad=0,rounding_size=0.07"
    axes.add_patch(FancyBboxPatch(corner, width, height, boxstyle=style, fc=fill, ec=edge, lw=1.3, zorder=3))
    centered = {"ha": "center", "va": "center", "zorder": 4}
    axes.text(x, y - 0.155, f"{channels} ch", color=_INK, fontsize=10.5, fontweight="bold", **centered)
    axes.text(x, y + 0.02, f"{rows} × {columns}", color=_INK, fontsize=8.5, **centered)
    low = _share(part, macs) if part.macs else "raw pixels" if part.kind == "image" else "pooling"
    axes.text(x, y + 0.185, low, color=edge, fontsize=7.5, **centered)


def _share(part: Part, macs: int) -> str:
    share = 100 * part.macs / macs
    return f"{short_count(part.macs)} · {'<1' if share < 0.5 else f'{share:.0f}'} %"


def _draw_rows(axes: Any, summary: Summary, places: Mapping[str, Place], view: _View) -> None:
    """A line and a label for every stride."""
    (height, width), left = summary.size, view.left
    for row in range(1 + max(row for _, row in places.values())):
        axes.plot((left + 0.75, view.right - 0.1), (row, row), color="#e5e7eb", lw=0.8, zorder=0)
        axes.text(left + 0.12, row - 0.08, f"stride {2**row}", color=_INK, fontsize=8.5, va="center")
        size = f"{height >> row} × {width >> row}"
        axes.text(left + 0.12, row + 0.1, size, color=_FAINT, fontsize=7.5, va="center")


def _draw_arrows(axes: Any, summary: Summary, places: Mapping[str, Place]) -> None:
    """An arrow from the box of every input to the part's own; into the decoder along a row, a skip."""
    for part in summary.parts:
        for source in part.sources if part.name in places else ():
            start = places["image" if source == "normalization" else source]
            end = places[part.name]
            between = [p for p in places.values() if p[1] == start[1] == end[1] and start[0] < p[0] < end[0]]
            if start[1] == end[1] and part.kind == "decoder":
                _draw_skip(axes, start, end, len(between))
            else:
                _arrow(axes, start, end, _FAINT, 1.5)


def _arrow(axes: Any, start: Place, end: Place, color: str, width: float) -> None:
    """An arrow between two boxes: along the row, or from the lower or upper edge to the side that faces it."""
    (x, y), (to_x, to_y) = start, end
    half_width, half_height = _BOX[0] / 2, _BOX[1] / 2
    tail: Point
    head: Point
    if y == to_y:
        tail, head = (x + half_width, y), (to_x - half_width, to_y)
    elif to_y > y:
        tail, head = (x + 0.6 * half_width, y + half_height), (to_x - 0.6 * half_width, to_y - half_height)
    else:
        tail, head = (x + 0.6 * half_width, y - half_height), (to_x - 0.6 * half_width, to_y + half_height)
    _line(axes, tail, head, color, width, "arc3,rad=0")


def _draw_skip(axes: Any, start: Place, end: Place, between: int) -> None:
    """A skip connection along a row, in an arc above the boxes in between."""
    if not between:
        _arrow(axes, start, end, _SKIP, 1.5)
        return
    lift = _BOX[1] / 2
    bend = -0.14 / (1 + 0.22 * between)
    shift = 0.06 * min(between, 4)
    tail, head = (start[0] + 0.24 - shift / 2, start[1] - lift), (end[0] - 0.3 + shift, end[1] - lift)
    _line(axes, tail, head, _SKIP, 1.0, f"arc3,rad={bend}")


def _line(axes: Any, tail: Point, head: Point, color: str, width: float, bend: str) -> None:
    from matplotlib.patches import FancyArrowPatch

    arrow = FancyArrowPatch(
        tail, head, arrowstyle="-|>,head_length=4.5,head_width=2.4", connectionstyle=bend, color=color, lw=width,
        shrinkA=1, shrinkB=1, joinstyle="miter", zorder=2,
    )  # fmt: skip
    axes.add_patch(arrow)


def _draw_text(axes: Any, summary: Summary, view: _View) -> None:
    """The title, the network's size and work, and the legend."""
    from matplotlib.patches import FancyBboxPatch

    left = view.left
    title = f"{_TITLES[summary.spec.arch]} with the {summary.spec.encoder} encoder"
    axes.text(left + 0.12, -0.87, title, color=_INK, fontsize=15, fontweight="bold", va="center")
    height, width = summary.size
    facts = (
        f"{height} × {width} image · {short_count(summary.parameters)} parameters · "
        f"{short_count(summary.macs)} multiply-accumulates"
    )
    axes.text(left + 0.12, -0.62, facts, color=_FAINT, fontsize=10, va="center")
    kinds = list(dict.fromkeys(part.kind for part in summary.parts if part.kind in _COLORS))
    x, y = left + 0.12, view.bottom - 0.3
    for kind in kinds:
        fill, edge = _COLORS[kind]
        axes.add_patch(FancyBboxPatch((x, y - 0.07), 0.2, 0.14, boxstyle="round,pad=0,rounding_size=0.03",
                                      fc=fill, ec=edge, lw=1.1))  # fmt: skip
        axes.text(x + 0.27, y, kind, color=_INK, fontsize=9, va="center")
        x += 1.08
    _line(axes, (x, y), (x + 0.35, y), _SKIP, 1.5, "arc3,rad=0")
    axes.text(x + 0.42, y, "skip", color=_INK, fontsize=9, va="center")
    note = "in a box: channels, height × width, multiply-accumulates and their share"
    if view.right - x > 5:
        axes.text(view.right - 0.12, y, note, color=_FAINT, fontsize=8.5, ha="right", va="center")
