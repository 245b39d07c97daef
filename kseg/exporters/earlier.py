"""An export replaces an earlier one of the same model only."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from kseg.errors import OutputError, abbreviate
from kseg.images import printable
from kseg.provenance import Origin, display_path, origin_of

__all__ = ["COMMAND", "RECORD", "require_replaceable_export"]

COMMAND: Final = "kseg export"
RECORD: Final = "parity.json"
"""The file of an export that says which model it is of; written first, so that an interrupted export has it, too."""


def require_replaceable_export(out: Path, model: Path, sha256: str, files: Sequence[str]) -> None:
    """Check that a folder's files are an earlier export of the same model: of this path, or with this content.

    Args:
        out: The folder; need not exist.
        model: The model to export.
        sha256: The hash of its file.
        files: The names in the folder that will be written.

    Raises:
        OutputError: Files of another model, or that kseg export did not write, would be overwritten.
    """
    existing = [path for path in (out / name for name in files) if path.exists() and not _is_same(path, model)]
    record = out / RECORD
    earlier = origin_of(record) if record.is_file() else None
    if not existing or earlier == Origin.of(COMMAND, model):
        return
    if earlier is None or earlier.command != COMMAND:
        raise OutputError(
            "files would be overwritten that kseg export did not write", where=printable(out),
            found=abbreviate(map(printable, existing)), remedy="choose another --out, or remove these files",
        )  # fmt: skip
    if json.loads(record.read_bytes())["source_sha256"] != sha256:
        raise OutputError(
            "the export of another model would be overwritten", where=printable(out),
            expected=f"an export of {printable(model)}", found=f"one of {display_path(earlier.inputs[0])}",
            remedy="choose another --out, or remove this folder",
        )  # fmt: skip


def _is_same(path: Path, model: Path) -> bool:
    return path.is_file() and path.samefile(model)
