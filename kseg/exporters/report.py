"""`ExportReport`: the result of an export."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from kseg.errors import KsegError, ParityFailure, PartialFailure, abbreviate
from kseg.exporters.ladder import Ladder
from kseg.exporters.parity.row import ParityRow
from kseg.exporters.parity.tables import parity_table
from kseg.html import rich_html

__all__ = ["ExportReport"]


@dataclass(frozen=True, repr=False)
class ExportReport:
    """The result of an export.

    Args:
        out: The folder.
        rows: The scores of the Keras model, then those of each artifact, on each runtime that runs it here; those of
            artifacts that did not pass the gate included.
        failures: File name → reason, for each artifact that could not be written.
        rejected: File name → reason, for each artifact that did not pass the gate; it was not written, unless the
            export was forced.
        forced: Whether artifacts that did not pass were kept.
        warnings: Warnings, which are also logged.
        split: The split whose images scored the artifacts.
        pictures: The folder with a picture of each artifact's worst images; None if no artifact differs anywhere.
        ladder: What ``--quantize auto`` tried; None if it was not asked for.
    """

    out: Path
    rows: tuple[ParityRow, ...]
    failures: Mapping[str, str]
    rejected: Mapping[str, str]
    forced: bool
    warnings: tuple[str, ...]
    split: str
    pictures: Path | None
    ladder: Ladder | None = None

    @property
    def artifacts(self) -> int:
        """The number of artifacts that were asked for, the copy of the Keras model not counted."""
        return len({row.file for row in self.rows[1:]} | set(self.failures))

    @property
    def written(self) -> tuple[Path, ...]:
        """The artifacts that were written, the copy of the Keras model not counted."""
        files = dict.fromkeys(row.file for row in self.rows[1:] if self.forced or row.file not in self.rejected)
        return tuple(self.out / file for file in files)

    def error(self) -> KsegError | None:
        """The error that ends the command: artifacts that did not pass the gate, or could not be written; else None."""
        reasons = "; ".join(f"{file}: {reason}" for file, reason in self.failures.items())
        if self.rejected:
            state = "were kept because of --force" if self.forced else "were not written"
            failed = f"; {len(self.failures)} failed: {reasons}" if self.failures else ""
            return ParityFailure(
                f"{len(self.rejected)} of {self.artifacts} artifacts did not pass the parity gate and {state}",
                found=abbreviate(self.rejected) + failed, remedy=f"see the reasons above, or in {self.out}/parity.md",
            )  # fmt: skip
        if self.failures:
            return PartialFailure(f"{len(self.failures)} of {self.artifacts} artifacts failed", found=reasons)
        return None

    def __repr__(self) -> str:
        files = list(dict.fromkeys(row.file for row in self.rows))
        texts = [f"{file} did not pass" if file in self.rejected else file for file in files]
        texts += [f"{file} failed" for file in self.failures]
        return f"ExportReport({str(self.out)!r}: {', '.join(texts)})"

    def _repr_html_(self) -> str:
        from rich.text import Text

        lines = [f"{self.out}", *(f"failed: {file}: {reason}" for file, reason in self.failures.items())]
        lines += [f"did not pass: {reason}" for reason in self.rejected.values()]
        tables = [parity_table(self.rows, self.split)]
        if self.ladder is not None:
            tables.append(self.ladder.table())
            lines += self.ladder.notes
        return rich_html(Text("\n".join(lines)), *tables)
