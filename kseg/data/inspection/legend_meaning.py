"""What the values of masks mean, as a legend beside them says: ``labelmap.txt``, ``_classes.csv`` and the like."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kseg.data.formats.legend import Legend
from kseg.data.inspection.meaning import Meaning
from kseg.data.inspection.value_table import ValueTable
from kseg.images import printable
from kseg.labels import IGNORE

__all__ = ["interpret_legend"]


def interpret_legend(
    table: ValueTable, names: Sequence[str] | None, legend: Legend, palette: frozenset[str]
) -> Meaning | None:
    """Read the meaning of the values from a legend.

    Args:
        table: The values of all masks.
        names: The configured class names, in order; None if there are none.
        legend: The legend.
        palette: The colours that palette masks show, as ``#rrggbb``; empty if there are no such masks.

    Returns:
        The meaning, certain unless classes of the legend are left out; None if the legend is of other masks or classes.
    """
    occurring = {table.name(int(value)) for value in table.values}
    for values in _forms(table, legend, palette):
        if occurring <= set(values) or (palette and palette <= set(values)):
            return _meaning(values, names, legend, occurring | palette)
    return None


def _forms(table: ValueTable, legend: Legend, palette: frozenset[str]) -> Iterator[Mapping[int | str, str]]:
    """The values of the legend in the forms that these masks can have."""
    if table.colored or not legend.is_colored or palette:
        yield legend.values
    if legend.is_colored and not table.colored:
        yield legend.as_indices().values
        greys = legend.as_greys()
        if greys is not None:
            yield greys.values


def _meaning(
    values: Mapping[int | str, str],
    names: Sequence[str] | None,
    legend: Legend,
    occurring: frozenset[int | str] | set[int | str],
) -> Meaning | None:
    why = f"{printable(legend.path.name)} says so"
    if names is None:
        return Meaning({"values": dict(values), "classes": list(legend.names)}, why)
    if not set(names) <= set(legend.names):
        return None
    dropped = sorted({name for value, name in values.items() if name not in (*names, IGNORE) and value in occurring})
    settings: dict[str, Any] = {"values": {v: name if name in names else IGNORE for v, name in values.items()}}
    doubts = (
        (f"{printable(legend.path.name)} has more classes than are named: {', '.join(dropped)}",) if dropped else ()
    )
    return Meaning(settings, why, doubts)
