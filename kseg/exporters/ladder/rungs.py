"""`Ladder`: the rungs that were climbed, and the files that are kept."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from kseg.exporters.ladder.ranking import Ranking
from kseg.exporters.parity.row import ParityRow
from kseg.html import rich_html

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["FASTEST_FILE", "FILE", "Ladder", "Rung"]

FILE: Final = "model_auto.tflite"
FASTEST_FILE: Final = "model_fastest.tflite"
NOISE: Final = 0.1
"""Latencies that differ by less count as the same; of such files the smaller one is kept."""


@dataclass(frozen=True)
class Rung:
    """A file that was tried.

    Args:
        name: Unique: ``float32``, ``int8``, ``int8, 2 in float``, ``int16x8``, ``fp16`` or ``dynamic``.
        quantization: ``none`` for float32, else as on the command line.
        path: The file, in a temporary folder.
        float_groups: The groups that were kept in float, the one that cost most first.
        float_layers: The layers that compute in float, and those fused with them are named by one of them.
        bytes: Its size; 0 if it could not be made.
        latency_ms: The time of a call with one image here, see `latencies_ms`; None if it could not be made or run.
        row: Its scores, judged by the gate; None likewise, or if it cannot be kept anyway.
        failure: Why it could not be made or run.
    """

    name: str
    quantization: str
    path: Path
    float_groups: tuple[str, ...] = ()
    float_layers: tuple[str, ...] = ()
    bytes: int = 0
    latency_ms: float | None = None
    row: ParityRow | None = None
    failure: str | None = None

    @property
    def passed(self) -> bool:
        """Whether it was measured and passes the gate."""
        return self.row is not None and self.row.passed

    def to_json(self) -> dict[str, Any]:
        """As plain JSON types; ``scores`` is the row of parity.json."""
        return {
            "rung": self.name,
            "quantization": self.quantization,
            "float_groups": list(self.float_groups),
            "float_layers": list(self.float_layers),
            "bytes": self.bytes,
            "latency_ms": self.latency_ms,
            "passed": self.passed,
            "failure": self.failure,
            "scores": None if self.row is None else self.row.to_json(),
        }


@dataclass(frozen=True)
class Ladder:
    """What the ladder did.

    Args:
        rungs: The files that were tried, float32 first.
        ranking: What each group costs; None if int8 passed, so that no group had to stay in float.
    """

    rungs: tuple[Rung, ...]
    ranking: Ranking | None = None

    @cached_property
    def kept(self) -> dict[str, Rung]:
        """File → the rung to keep as it: the smallest that passes; the fastest, too, if it is another.

        Of files whose latency is the same within 10 % the smallest is the fastest. If none passes, it is float32, which
        an export refuses by its gate; if float32 cannot be made either, nothing is kept.
        """
        passing = sorted((rung for rung in self.rungs if rung.passed), key=lambda rung: rung.bytes)
        if not passing:
            return dict(zip([FILE], self._float32, strict=False))
        limit = min(map(_latency, passing)) * (1 + NOISE)
        fastest = next(rung for rung in passing if _latency(rung) <= limit)
        return {FILE: passing[0]} if fastest is passing[0] else {FILE: passing[0], FASTEST_FILE: fastest}

    @property
    def _float32(self) -> list[Rung]:
        """The float32 file, if it could be made and run."""
        return [rung for rung in self.rungs if rung.quantization == "none" and rung.row is not None]

    def facts(self, file: str) -> dict[str, Any]:
        """What the card of a kept file says: the rung, and what stayed in float."""
        rung = self.kept[file]
        return {"rung": rung.name, "float_groups": list(rung.float_groups), "float_layers": list(rung.float_layers)}

    @property
    def notes(self) -> tuple[str, ...]:
        """What the table does not show, a line each."""
        return (*self._kept_notes(), *self._float_notes(), *self._slow_notes(), *self._failure_notes())

    def _kept_notes(self) -> list[str]:
        if not any(rung.passed for rung in self.rungs):
            return ["no file passes, float32 not either"]
        kept = self.kept[FILE]
        if kept.quantization == "none":
            return [f"no quantised file passes: {FILE} is float32"]
        if len(self.kept) == 1:
            return [f"{FILE} is {kept.name}: the smallest that passes, and none that passes is faster"]
        return [
            f"{FILE} is {kept.name}: the smallest that passes",
            f"{FASTEST_FILE} is {self.kept[FASTEST_FILE].name}: the fastest that passes",
        ]

    def _float_notes(self) -> list[str]:
        return [f"{rung.name}: {', '.join(rung.float_groups)}" for rung in self.rungs if rung.float_groups]

    def _slow_notes(self) -> list[str]:
        limit = next((rung.latency_ms for rung in self._float32), None)
        return [
            f"{rung.name} is slower than float32 here: {rung.latency_ms:.1f} ms instead of {limit:.1f}"
            for rung in self.rungs
            if limit and rung.latency_ms and rung.latency_ms > limit * (1 + NOISE)
        ]

    def _failure_notes(self) -> list[str]:
        return [f"{rung.name} cannot be used: {rung.failure}" for rung in self.rungs if rung.failure]

    def to_json(self) -> dict[str, Any]:
        """As plain JSON types, for parity.json."""
        return {
            "kept": {file: rung.name for file, rung in self.kept.items()},
            "rungs": [rung.to_json() for rung in self.rungs],
            "ranking": None if self.ranking is None else self.ranking.to_json(),
            "notes": list(self.notes),
        }

    def table(self) -> Table:
        """A row for each rung: size, latency, score, drop with interval, and what is kept."""
        from kseg.exporters.ladder.tables import ladder_table

        return ladder_table(self)

    def _repr_html_(self) -> str:
        from rich.text import Text

        return rich_html(self.table(), Text("\n".join(self.notes)))


def _latency(rung: Rung) -> float:
    assert rung.latency_ms is not None
    return rung.latency_ms
