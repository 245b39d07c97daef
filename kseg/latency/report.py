"""Tables of benchmark results, of one machine or of two beside each other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING

from kseg.environment import describe_environment
from kseg.errors import UsageError
from kseg.latency.results import Results, Row

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["check_comparable", "comparison_table", "reference_row", "results_table"]

COLUMNS = ("threads", "p50 ms", "p90 ms", "p99 ms", "images/s", "load s", "peak MB", "file MB")


def results_table(results: Results) -> Table:
    """The table of one machine; the last column is the median latency relative to the first measured row."""
    folder = _folder(results.rows)
    table = _new_table(f"{describe_environment(results.environment)}\n{folder}", _caption(results))
    table.add_column("× first", justify="right", no_wrap=True)
    first = next((row.p50 for row in results.rows if row.latency_ms), math.nan)
    for row in results.rows:
        table.add_row(*_cells(row, folder, (_ratio(row.p50, first),)))
    return table


def check_comparable(batch: int, other: Results, name: str) -> None:
    """Check that another machine's results can be compared with measurements of this batch size.

    Args:
        batch: The batch size of the measurements here.
        other: The results of the other machine.
        name: Their file, for error messages.

    Raises:
        UsageError: They were measured with another batch size, or hold no measurement.
    """
    if other.settings["batch"] != batch:
        raise UsageError(
            "the results were measured with another batch", where=name, expected=f"batch {batch}",
            found=f"batch {other.settings['batch']}", remedy=f"add --batch {other.settings['batch']}",
        )  # fmt: skip
    if not any(row.latency_ms for row in other.rows):
        raise UsageError("the results hold no measurement", where=name, remedy="measure again on that machine")


def reference_row(other: Results) -> Row:
    """The row of the other machine to compare with: its fastest on a GPU; without a GPU, its fastest."""
    measured = [row for row in other.rows if row.latency_ms]
    return min(measured, key=lambda row: (row.device != "gpu", row.p50))


def comparison_table(results: Results, other: Results) -> Table:
    """The table of two machines: A is this one, B the other.

    The last columns are the median latency relative to A's first measured row, and to B's `reference_row`.
    """
    reference = reference_row(other)
    machines = {"A": results, "B": other}
    folders = {machine: _folder(measured.rows) for machine, measured in machines.items()}
    title = "\n".join(
        f"{machine}: {describe_environment(measured.environment)}\n   {folders[machine]}"
        for machine, measured in machines.items()
    )
    caption = (
        f"× B: p50 as a multiple of {reference.model} on B's {reference.device} ({reference.p50:.2f} ms). "
        f"{_caption(results)}"
    )
    if any(row.input and reference.input and row.input != reference.input for row in results.rows):
        caption += " Beware: not all the images have the same size."
    table = _new_table(title, caption, machine=True)
    for heading in ("× first", "× B"):
        table.add_column(heading, justify="right", no_wrap=True)
    first = next((row.p50 for row in results.rows if row.latency_ms), math.nan)
    for machine, measured in machines.items():
        for row in measured.rows:
            ratios = (_ratio(row.p50, first), _ratio(row.p50, reference.p50))
            table.add_row(machine, *_cells(row, folders[machine], ratios))
        table.add_section()
    return table


def _new_table(title: str, caption: str, *, machine: bool = False) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(
        title=title, title_justify="left", title_style="", caption=caption, caption_justify="left", box=box.SIMPLE_HEAD
    )
    if machine:
        table.add_column("on")
    table.add_column("model", overflow="fold")
    table.add_column("runtime", no_wrap=True)
    table.add_column("device", no_wrap=True)
    for heading in COLUMNS:
        table.add_column(heading, justify="right", no_wrap=True)
    return table


def _caption(results: Results) -> str:
    settings = results.settings
    return (
        f"Inference only (no decoding, no resizing), batch {settings['batch']}, on fixed random uint8 pixels; "
        f"{settings['runs']} runs after {settings['warmup']} warm-up runs, each row in a fresh process. "
        "peak MB: memory of that process; load s: from its start until the model is ready."
    )


def _folder(rows: Sequence[Row]) -> str:
    """The common folder of all models, which is shown once above the table; empty if there is none."""
    parents = [(PurePath(row.model).parent, *PurePath(row.model).parent.parents) for row in rows]
    return str(next((folder for folder in parents[0] if all(folder in others for others in parents)), ""))


def _cells(row: Row, folder: str, ratios: Sequence[str]) -> list[str]:
    head = [
        row.model.removeprefix(f"{folder}/") if folder else row.model,
        row.runtime,
        row.device,
        "" if row.threads is None else str(row.threads),
    ]
    size = f"{row.bytes / 1e6:.2f}"
    if row.latency_ms is None:
        return [*head, "failed" if row.failed else "skipped", "", "", "", "", "", size, *("" for _ in ratios)]
    latency = row.latency_ms
    numbers = [f"{latency.p50:.2f}", f"{latency.p90:.2f}", f"{latency.p99:.2f}", f"{row.images_per_s:.1f}"]
    return [*head, *numbers, f"{row.load_s:.2f}", f"{row.peak_rss_mb:.0f}", size, *ratios]


def _ratio(value: float, base: float) -> str:
    ratio = value / base
    return "" if math.isnan(ratio) else f"{ratio:.2f}"
