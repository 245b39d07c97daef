"""List the image files of a folder or glob, and the stems by which they are paired."""

from __future__ import annotations

import glob
import os
import posixpath
import re
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path, PurePath
from typing import Final

from kseg.data.formats.walk import is_picture, visible_files
from kseg.data.names import composed, is_hidden
from kseg.errors import ConfigError, DataError, abbreviate
from kseg.images import IMAGE_SUFFIXES, printable

__all__ = ["ImageFiles", "list_files", "quoted"]

# A set of a single character stands for this character: glob.escape writes [*] for *.
_WILDCARD: Final = re.compile(r"((?<![^/])\*\*/|\*+|\?|\[[^\]]{2,}\])")
_LITERAL: Final = re.compile(r"\[([^\]])\]")
_ANY_NAME: Final = re.compile(r"\*+(\.\*|\.\w+)?")
_BRACES: Final = re.compile(r"\{[^{}]*,[^{}]*\}")
_BELOW: Final = ("**", "*")
"""The glob of all files in a folder, at any depth."""


@dataclass(frozen=True)
class ImageFiles:
    """The image files of a folder or glob.

    Args:
        folder: The folder; of a glob, the part before the first wildcard.
        files: The files, sorted by path.
        pattern: The glob below the folder, without its suffix; None for a folder.
        where: The configuration key, for messages.
        setting: The value of this key, for messages.
    """

    folder: Path
    files: tuple[Path, ...]
    pattern: str | None
    where: str
    setting: str

    @property
    def wildcards(self) -> int:
        """Number of wildcards in the glob, without its suffix; 0 for a folder."""
        return len(_WILDCARD.findall(self.pattern)) if self.pattern is not None else 0

    def key(self, file: Path) -> str:
        """The key of a file: its path below the folder, with ``/`` and without suffix."""
        return os.path.splitext(os.fspath(file)[self._prefix :])[0].replace(os.sep, "/")

    @cached_property
    def _prefix(self) -> int:
        return len(os.path.join(self.folder, ""))

    def without(self, files: Set[Path]) -> ImageFiles:
        """A copy without these files."""
        return replace(self, files=tuple(file for file in self.files if file not in files))

    def by_stem(self, by_wildcards: bool) -> dict[str, Path]:
        """The files by the stem that pairs images with masks.

        Args:
            by_wildcards: The stem is the text that the glob's wildcards match, instead of the file's key.

        Raises:
            DataError: Two files have the same stem.
        """
        expression = _expression(self.pattern or "") if by_wildcards else None
        stems: dict[str, list[Path]] = {}
        for file in self.files:
            key = self.key(file)
            match = expression.fullmatch(key) if expression else None
            stems.setdefault("/".join(match.groups()) if match else key, []).append(file)
        if len(stems) < len(self.files):
            raise self._duplicates([files for files in stems.values() if len(files) > 1], len(stems))
        return {stem: files[0] for stem, files in stems.items()}

    def _duplicates(self, duplicates: Sequence[Sequence[Path]], stems: int) -> DataError:
        suffix = self._complete_suffix(stems)
        pattern = self.glob(f"*{suffix}") if suffix else None
        return DataError(
            f"{len(duplicates)} stems occur twice", where=self.where, expected="one file per stem",
            found=abbreviate(f"{printable(files[0])} and {printable(files[1].name)}" for files in duplicates),
            remedy="remove one of each" + (f", or name the suffix: {self.where}: {quoted(pattern)}" if pattern else ""),
        )  # fmt: skip

    def _complete_suffix(self, stems: int) -> str | None:
        """A suffix of which there is a file for each stem: of images a photograph's, of masks a lossless one."""
        suffixes = [file.suffix for file in self.files]
        complete = sorted(suffix for suffix in set(suffixes) if suffixes.count(suffix) == stems)
        return complete[-1 if self.where == "data.masks" else 0] if complete else None

    def glob(self, name: str) -> str | None:
        """The setting that lists, of the same files, those whose names match a glob; None where it cannot be derived.

        Example: for a folder ``images`` with sub-folders and the name ``IMG_*.jpg``: ``images/**/IMG_*.jpg``.
        """
        if self.pattern is None:
            nested = any("/" in self.key(file) for file in self.files)
            return posixpath.normpath("/".join([glob.escape(self.setting), *_BELOW[:nested], name]))
        if self._matched_folders:
            return "/".join([self.setting.rstrip("/"), _BELOW[0], name])
        folder, _, last = self.setting.rpartition("/")
        if last == _BELOW[0]:
            return f"{self.setting}/{name}"
        return posixpath.join(folder, name) if _ANY_NAME.fullmatch(last) else None

    @property
    def _matched_folders(self) -> bool:
        """Whether the glob matched folders, so that the pattern has parts that the setting lacks."""
        *folders, last = PurePath(self.setting).parts
        written = last == _BELOW[0] or (folders[-1:] == [_BELOW[0]] and glob.has_magic(last))
        return not written and tuple((self.pattern or "").split("/")[-2:]) == _BELOW


def quoted(text: str) -> str:
    """A text in the single quotes of YAML."""
    return "'" + printable(text).replace("'", "''") + "'"


def list_files(root: Path, spec: str, *, key: str, setting: str | None = None) -> ImageFiles:
    """Find the image files of a folder or glob; a folder, also one that a glob matches, is searched recursively.

    A glob that matches image files lists these, and ignores the folders that it matches as well. Hidden files and
    folders hold no images. Links are followed.

    Args:
        root: What ``spec`` is relative to.
        spec: The folder or glob.
        key: The configuration key, for messages.
        setting: The value of this key, where it differs from ``spec``.

    Raises:
        ConfigError: The folder does not exist.
        DataError: It contains no image files, or links that are broken.
    """
    parts = PurePath(spec).parts
    plain = next((i for i, part in enumerate(parts) if glob.has_magic(part)), len(parts))
    whole = Path(os.path.normpath(_existing(root, parts)))
    if os.path.isdir(whole):
        listed, broken = _in_folder(whole, key, setting or spec)
    elif plain < len(parts):
        listed, broken = _glob(_existing(root, parts[:plain]), parts[plain:], key, setting or spec)
    else:
        raise _no_folder(root, whole, spec, key)
    if broken:
        raise _broken_links(broken, listed)
    if not listed.files:
        if _BRACES.search(spec):
            raise _braces(root, spec, key)
        raise DataError(
            "no images found", where=f"{key}: {printable(whole)}",
            expected=f"files with the suffix {', '.join(sorted(IMAGE_SUFFIXES))}",
        )  # fmt: skip
    return listed


def _existing(root: Path, parts: Sequence[str]) -> Path:
    """The path below the root, spelled as on disk where only the Unicode form of the letters differs."""
    path = root
    for part in parts:
        if not part.isascii() and not os.path.lexists(path / part) and os.path.isdir(path):
            spelling = composed(part)
            names = (name for name in os.listdir(path) if composed(name) == spelling)
            part = next(names, part)
        path = path / part
    return path


# --- files ------------------------------------------------------------------------------------------------------------


def _in_folder(folder: Path, key: str, setting: str) -> tuple[ImageFiles, list[str]]:
    files, broken = _walk(os.fspath(folder))
    return ImageFiles(folder, _sorted(files), None, key, setting), broken


def _glob(folder: Path, parts: Sequence[str], key: str, setting: str) -> tuple[ImageFiles, list[str]]:
    paths = glob.glob(os.path.join(glob.escape(os.fspath(folder)), *parts), recursive=True)
    below = len(os.path.join(folder, ""))
    paths = [path for path in paths if not _is_hidden_match(path[below:])]
    broken = [path for path in paths if _is_broken(path)]
    files = [path for path in paths if is_picture(path) and os.path.isfile(path)]
    parts = [*parts[:-1], *_BELOW] if parts[-1] == _BELOW[0] else parts
    if not files:
        for path in filter(os.path.isdir, paths):
            inside, broken_inside = _walk(path)
            files += inside
            broken += broken_inside
        parts = [*parts, *_BELOW] if files and tuple(parts[-2:]) != _BELOW else parts
    listed = ImageFiles(folder, _sorted(dict.fromkeys(files)), None, key, setting)
    return replace(listed, pattern=_stem_pattern(parts, map(listed.key, listed.files))), broken


def _is_hidden_match(path: str) -> bool:
    # Wildcards match no name that begins with a dot; a folder of such a name is one that the glob spells out.
    folder, name = os.path.split(path)
    return is_hidden(name) or any(is_hidden(part) and not part.startswith(".") for part in folder.split(os.sep))


def _stem_pattern(parts: Sequence[str], keys: Iterable[str]) -> str:
    """The glob of the files without their suffix, which may be a part of the glob's last wildcard."""
    whole = "/".join(parts)
    keys = list(keys)
    patterns = (os.path.splitext(whole)[0], whole)
    matches = (pattern for pattern in patterns if all(map(_expression(pattern).fullmatch, keys)))
    return next(matches, patterns[0])


def _sorted(files: Iterable[str]) -> tuple[Path, ...]:
    # As paths would be sorted, but ten times faster.
    return tuple(map(Path, sorted(files, key=lambda file: file.split(os.sep))))


def _walk(folder: str) -> tuple[list[str], list[str]]:
    """The image files in a folder at any depth, and the links that are broken."""
    images: list[str] = []
    broken: list[str] = []
    for _, files in visible_files(folder):
        for file in files:
            if file.is_symlink() and _is_broken(file.path):
                broken.append(file.path)
            elif is_picture(file.name):
                images.append(file.path)
    return images, broken


def _is_broken(path: str) -> bool:
    """Whether a link to an image, or to a folder, leads nowhere."""
    may_count = is_picture(path) or not os.path.splitext(path)[1]
    return may_count and os.path.islink(path) and not os.path.exists(path)


# --- stems ------------------------------------------------------------------------------------------------------------


def _expression(pattern: str) -> re.Pattern[str]:
    """A glob as a regular expression, with a group for each wildcard."""
    translated = []
    for i, piece in enumerate(_WILDCARD.split(pattern)):
        if i % 2 == 0:
            translated.append(re.escape(_LITERAL.sub(r"\1", piece)))
        elif piece == "**/":
            translated.append(r"((?:[^/]+/)*)")
        elif piece.startswith("*"):
            translated.append(r"([^/]*)")
        elif piece == "?":
            translated.append(r"([^/])")
        else:
            inside = re.sub(r"([\\\[^])", r"\\\1", piece[1:-1])
            translated.append(f"([^{inside[1:]}])" if inside.startswith("!") else f"([{inside}])")
    return re.compile("".join(translated))


# --- errors -----------------------------------------------------------------------------------------------------------


def _no_folder(root: Path, path: Path, spec: str, key: str) -> ConfigError:
    if _BRACES.search(spec):
        return _braces(root, spec, key)
    if os.path.islink(path):
        return ConfigError(
            "the link is broken", where=key, found=_link(path), expected="a folder", remedy="restore what it points to"
        )
    folders = sorted(entry.name for entry in root.iterdir() if entry.is_dir()) if root.is_dir() else []
    return ConfigError(
        "no such folder", where=key, found=printable(path),
        remedy=f"{printable(root)} has the folders {abbreviate(map(printable, folders), 8)}; "
        "kseg data check guesses layouts" if folders else None,
    )  # fmt: skip


def _braces(root: Path, spec: str, key: str) -> ConfigError:
    wider = _BRACES.sub("*", spec)
    exists = bool(glob.glob(os.path.join(glob.escape(os.fspath(root)), wider), recursive=True))
    return ConfigError(
        "braces are not expanded", where=key, found=printable(spec),
        expected="a folder, or a glob of *, **, ? and [ab]", remedy=f"set {key}: {quoted(wider)}" if exists else None,
    )  # fmt: skip


def _broken_links(links: Sequence[str], listed: ImageFiles) -> DataError:
    return DataError(
        f"{len(links)} links are broken" if len(links) > 1 else "a link is broken",
        where=f"{listed.where}: {printable(listed.folder)}", found=abbreviate(map(_link, links)),
        expected="links to files that exist", remedy="restore what they point to, or remove the links",
    )  # fmt: skip


def _link(path: str | os.PathLike[str]) -> str:
    return f"{printable(path)} → {printable(os.readlink(path))}"
