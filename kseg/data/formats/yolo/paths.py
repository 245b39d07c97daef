"""The paths in ``data.yaml`` and in its lists of images → folders and images below the data set's root.

They are of another machine, or relative to a folder that only Ultralytics knows. What a path names is therefore the
longest trailing part of it that exists beside ``data.yaml`` or below the root; nothing outside the root is read.
"""

from __future__ import annotations

import glob
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kseg.data.formats.common import report_unpaired
from kseg.data.formats.document import read_lines
from kseg.data.formats.finder import Finder
from kseg.data.formats.image_names import readings
from kseg.data.formats.walk import is_picture
from kseg.data.spec import DataSpec
from kseg.errors import DataError, abbreviate
from kseg.images import printable

__all__ = ["Paths"]

_log = logging.getLogger("kseg")

_SHOWN: Final = 4
_LIST: Final = ".txt"


@dataclass(frozen=True)
class Paths:
    """Resolves the paths of a ``data.yaml``.

    Args:
        yaml: That file.
        base: Its key ``path``; None if it has none.
        spec: The data set.
    """

    yaml: Path
    base: str | None
    spec: DataSpec

    def resolve(self, entry: str, key: str) -> tuple[Path, ...]:
        """The folder or list that an entry names, or the folders, else the images, that match it as a glob.

        Raises:
            DataError: It names nothing below the root.
        """
        candidates = list(dict.fromkeys(self._candidates(entry)))
        for folder, tail in candidates:
            path = Path(folder, tail)
            if path.is_dir() or (path.suffix.lower() == _LIST and path.is_file()):
                return (path,)
        for folder, tail in candidates:
            paths = _matches(folder, tail) if glob.has_magic(tail) else ()
            if paths:
                return paths
        looked_for = [printable(os.path.relpath(Path(folder, tail), self.spec.root)) for folder, tail in candidates]
        raise DataError(
            "no such folder, glob or list of images", where=f"{printable(self.yaml)}: {key}", found=printable(entry),
            expected=f"in {printable(self.spec.root)} one of {abbreviate(looked_for, _SHOWN)}",
            remedy=self.elsewhere(entry) or "correct the entry, or add what it names",
        )  # fmt: skip

    def listed(self, path: Path) -> set[Path]:
        """The images that a text file lists, one per line.

        Raises:
            DataError: It names images that are missing, or one by two paths.
        """
        lines = {number: line.strip() for number, line in enumerate(read_lines(path), 1)}
        lines = {number: line for number, line in lines.items() if line and not line.startswith("#")}
        finder = Finder(path.parent, *self._folders())
        line_of: dict[Path, int] = {}
        missing = []
        for number, line in lines.items():
            file = _find_image(finder, line, f"{printable(path)} line {number}")
            if file is None:
                missing.append((number, line))
            elif lines[line_of.setdefault(file, number)] != line:
                first = line_of[file]
                raise DataError(
                    "two lines name the same image", where=printable(path), found=f"{printable(lines[first])} "
                    f"(line {first}) and {printable(line)} (line {number})", remedy="correct or remove one of them",
                )  # fmt: skip
        repeated = len(lines) - len(missing) - len(line_of)
        if repeated:
            _log.warning("%s: %d lines repeat an image; each image is taken once", printable(path), repeated)
        self._report_missing(path, missing, len(lines))
        return set(line_of)

    def elsewhere(self, entry: str) -> str | None:
        """What to set if an entry exists on this machine, outside the root; else None."""
        literal = self._literal(entry)
        if not literal.exists():
            return None
        home = self._literal("")
        root = home if self.base and literal.is_relative_to(home) else Path(os.path.commonpath([home, literal]))
        annotations = os.path.relpath(self.yaml, root)
        return (
            f"it is outside of data.root: set data.root: {printable(root)} and "
            f"data.annotations: {printable(annotations)}"
        )

    def _report_missing(self, path: Path, missing: list[tuple[int, str]], total: int) -> None:
        names = abbreviate((f"{printable(line)} (line {number})" for number, line in missing), _SHOWN)
        report_unpaired(
            [f"{len(missing)} of {total} lines name no image: {names}"] if missing else [], where=printable(path),
            expected=f"images below {printable(self.spec.root)}", unpaired=self.spec.unpaired,
            count=len(missing), remaining=total - len(missing), remedy=lambda: self.elsewhere(missing[0][1]),
        )  # fmt: skip

    def _folders(self) -> list[Path]:
        """Where to look: beside the file, if that is in the root, and in the root."""
        folders = dict.fromkeys((self.yaml.parent, self.spec.root))
        return [folder for folder in folders if folder.is_relative_to(self.spec.root)]

    def _candidates(self, entry: str) -> Iterator[tuple[Path, str]]:
        """The places that an entry may name, as a folder and a path in it, the most literal one first."""
        literal = self._literal(entry)
        if literal.is_relative_to(self.spec.root):
            yield self.spec.root, literal.relative_to(self.spec.root).as_posix()
        parts = _parts(entry if self.base is None or _is_absolute(entry) else f"{self.base}/{entry}")
        for start in range(len(parts) + (not _parts(entry))):
            for folder in self._folders():
                yield folder, "/".join(parts[start:])

    def _literal(self, entry: str) -> Path:
        """The path as it is written, relative to ``path`` and to the file's folder."""
        path = os.path.join(self.yaml.parent, *((self.base or "", entry)))
        return Path(os.path.normpath(path.replace("\\", "/").replace("\0", "")))


def _find_image(finder: Finder, line: str, where: str) -> Path | None:
    candidates = (finder.find(path, where=where) for path in readings(line))
    return next((file for file in candidates if file is not None and is_picture(file.name)), None)


def _parts(path: str) -> list[str]:
    parts = path.replace("\\", "/").replace("\0", "").split("/")
    return [part for part in parts if part not in ("", ".", "..")]


def _is_absolute(entry: str) -> bool:
    return entry.startswith(("/", "\\")) or entry[1:2] == ":"


def _matches(folder: Path, pattern: str) -> tuple[Path, ...]:
    matched = glob.glob(os.path.join(glob.escape(os.fspath(folder)), pattern), recursive=True)
    paths = [Path(path) for path in sorted(matched)]
    folders = [path for path in paths if path.is_dir()]
    return tuple(folders or [path for path in paths if is_picture(path.name)])
