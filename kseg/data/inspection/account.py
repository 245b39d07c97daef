"""Account for every picture and annotation file of a folder: what is read in which role, and what is left out."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kseg.data.formats.layout.annotations import annotation_files
from kseg.data.formats.layout.path_patterns import names_path
from kseg.data.formats.layout.read import Layout
from kseg.data.formats.layout.tree import Tree, join
from kseg.data.inspection.file_globs import short_globs
from kseg.data.inspection.findings import Finding
from kseg.data.objects import Objects
from kseg.data.sample import SPLITS, Sample
from kseg.data.spec import DataSpec, Lists
from kseg.errors import abbreviate
from kseg.images import printable

__all__ = ["Account", "account_for", "left_out"]

_MOST_LEFT_OUT: Final = 0.05
"""A larger share of the pictures is not left out unasked."""
_DOCUMENTS: Final = (".json", ".txt")
_STRAYS: Final = "other pictures of the same folders"
_WHOLE_FOLDERS: Final = ("yolo", "labelme")
"""Formats that read all annotation files of a folder, of which the samples name only those with an image."""


@dataclass(frozen=True)
class Account:
    """The pictures and annotation files of a folder.

    Args:
        images: Number of pictures that are read as images.
        masks: Number of pictures that are read as masks.
        pictures: Number of all pictures but kseg's own: those read, those in ``folders`` and ``stray``, and
            ``explained_pictures``.
        folders: Folder none of whose pictures is read → their number.
        stray: Pictures that are not read, of folders from which others are.
        annotations: Annotation files that are not read.
        explained: File, folder or glob that is not read, for a reason that the format or the settings give → the
            reason.
        explained_pictures: Number of pictures that are not read for such a reason.
        unused: The shortest setting ``data.unused`` that explains ``folders``, ``stray`` and ``annotations``.
    """

    images: int
    masks: int
    pictures: int
    folders: Mapping[str, int]
    stray: Sequence[str]
    annotations: Sequence[str]
    explained: Mapping[str, str]
    explained_pictures: int
    unused: Sequence[str]

    @property
    def leaves_many(self) -> bool:
        """Whether more than a twentieth of the pictures are in ``stray``."""
        return _are_many(len(self.stray), self.pictures)


def account_for(layout: Layout, spec: DataSpec, samples: Iterable[Sample]) -> Account:
    """Account for the files of a folder.

    Args:
        layout: How it is read.
        spec: The data set.
        samples: The samples that are read from it, those that settings exclude as well.
    """
    tree, samples, identity = layout.tree, list(samples), _Identity()
    images = {identity(sample.image) for sample in samples}
    masks = {identity(sample.mask) for sample in samples if isinstance(sample.mask, Path)}
    pictures = [join(folder, name) for folder, names in tree.pictures.items() for name in names]
    read = images | masks
    used = {file for file in pictures if identity(tree.path(file)) in read}
    reasons = _Reasons(layout, spec, used)
    unread = [file for file in pictures if file not in used]
    unexplained = [file for file in unread if not reasons.explain(file)]
    documents = [file for file in _unread_documents(tree, spec, samples, identity) if not reasons.explain(file)]
    by_folder: dict[str, list[str]] = defaultdict(list)
    for file in unexplained:
        by_folder[os.path.dirname(file)].append(file)
    whole = {folder: len(files) for folder, files in by_folder.items() if len(files) == len(tree.pictures[folder])}
    stray = [file for file in unexplained if os.path.dirname(file) not in whole]
    many = _are_many(len(stray), len(pictures))
    asked = [file for file in unexplained if many or os.path.dirname(file) in whole]
    return Account(
        len(images), len(masks), len(pictures), whole, stray, documents, reasons.given(),
        len(unread) - len(unexplained),
        short_globs(tree, [*asked, *documents], used | _read_documents(tree, samples, identity)),
    )  # fmt: skip


def _are_many(stray: int, pictures: int) -> bool:
    return stray > _MOST_LEFT_OUT * max(pictures, 1)


def _read_documents(tree: Tree, samples: Sequence[Sample], identity: _Identity) -> set[str]:
    sources = _sources(samples, identity)
    return {file for file in tree.named(*_DOCUMENTS) if identity(tree.path(file)) in sources} if sources else set()


class _Identity:
    """The real path of a file; that of each folder is determined once."""

    def __init__(self) -> None:
        self._real: dict[str, str] = {}

    def __call__(self, path: Path) -> str:
        if os.path.islink(path):
            return os.path.realpath(path)
        folder, name = os.path.split(os.path.abspath(path))
        if folder not in self._real:
            self._real[folder] = os.path.realpath(folder)
        return os.path.join(self._real[folder], name)


class _Reasons:
    """Why files are not read, as far as the settings and the format say it.

    Args:
        layout: How the folder is read.
        spec: The data set.
        used: The pictures that are read.
    """

    def __init__(self, layout: Layout, spec: DataSpec, used: set[str]) -> None:
        lists_are_told = isinstance(spec.split, Lists) and "split" in layout.configured
        self._of_strays = "data.unpaired: skip" if spec.unpaired == "skip" else "data.split" if lists_are_told else ""
        self._reason_of = {**dict.fromkeys(spec.unused, "data.unused"), **layout.spare}
        self._tree = layout.tree
        self._folders = {os.path.dirname(file) for file in used}
        self._counts: dict[str, int] = defaultdict(int)

    def explain(self, file: str) -> bool:
        """Whether there is a reason why this file is not read; counts it under that reason."""
        entry = next((entry for entry in self._reason_of if names_path(entry, file)), None)
        if entry is None and self._of_strays and os.path.dirname(file) in self._folders:
            entry = _STRAYS
        if entry is not None:
            self._counts[entry] += 1
        return entry is not None

    def given(self) -> dict[str, str]:
        """What was explained → the reason."""
        reasons = {**self._reason_of, _STRAYS: self._of_strays}
        explained = {entry: reasons[entry] for entry in self._counts}
        own = len(self._tree.own_pictures)
        if own:
            explained[f"{own} pictures"] = "written by kseg"
        return explained | dict.fromkeys(self._tree.runs, "a training of kseg")


def _sources(samples: Sequence[Sample], identity: _Identity) -> set[str]:
    return {identity(path) for path in {sample.mask.source for sample in samples if isinstance(sample.mask, Objects)}}


def _unread_documents(tree: Tree, spec: DataSpec, samples: Sequence[Sample], identity: _Identity) -> list[str]:
    """The annotation files that are not read."""
    read = _sources(samples, identity) | {identity(spec.root / name) for name in _settings_files(spec)}
    folders = {path if os.path.isdir(path) else os.path.dirname(path) for path in read}
    described = spec.format == "yolo" and bool(spec.annotations and spec.annotations.endswith((".yaml", ".yml")))

    def is_read(file: str) -> bool:
        path = identity(tree.path(file))
        belongs = spec.format in _WHOLE_FOLDERS and os.path.dirname(path) in folders
        return path in read or belongs or (described and "/" not in file and file.endswith(".txt"))

    return [file for file in annotation_files(tree) if not is_read(file)]


def _settings_files(spec: DataSpec) -> list[str]:
    """The files that the settings name themselves."""
    split = spec.split
    lists = [split.train, split.val, split.test] if isinstance(split, Lists) else []
    return [*filter(None, lists), *([spec.annotations] if spec.annotations else [])]


def left_out(account: Account, spec: DataSpec, *, is_told: bool) -> Finding | None:
    """The finding that pictures or annotations are left out; None if none are.

    Args:
        account: The account.
        spec: The data set.
        is_told: Whether the user names what is read, so that nothing is left out unasked.
    """
    count = sum(account.folders.values()) + len(account.stray)
    if not count and not account.annotations:
        return None
    asks = bool(account.folders or account.annotations or account.leaves_many) and not is_told
    names = [
        f"{printable(folder or '.')} ({_counted(size, 'picture')})" for folder, size in sorted(account.folders.items())
    ]
    names += [printable(file) for file in (*account.annotations, *account.stray)]
    kinds = [f"{count} of {account.pictures} pictures"] if count else []
    kinds += [_counted(len(account.annotations), "annotation file")] if account.annotations else []
    are = "is" if count + len(account.annotations) == 1 else "are"
    if asks and _only_lists(account, spec):
        split: dict[str, str] = {"by": "lists", **{name: getattr(spec.split, name) for name in SPLITS}}
        return Finding(
            code="left-out", severity="question", what=f"{kinds[0]} {are} in no list",
            why="a training without them may not be the one that is meant", count=count, total=account.pictures,
            files=tuple(account.stray), found=abbreviate(names, 6), guess={"data.split": split},
            advice="to read them, add them to the lists, or set another data.split",
        )  # fmt: skip
    return Finding(
        code="left-out", severity="question" if asks else "note", what=f"{' and '.join(kinds)} {are} not read",
        why="a training without them may not be the one that is meant", count=count, total=account.pictures,
        files=tuple(account.stray), found=abbreviate(names, 6),
        guess={"data.unused": [*spec.unused, *account.unused]} if asks else {},
        advice=_advice(account) if asks else None,
    )  # fmt: skip


def _only_lists(account: Account, spec: DataSpec) -> bool:
    """Whether all that is left out are pictures in folders that are read, but in no list."""
    return isinstance(spec.split, Lists) and not account.folders and not account.annotations


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'s'[: count != 1]}"


def _advice(account: Account) -> str:
    """Which settings read what is left out."""
    count = sum(account.folders.values()) + len(account.stray) + len(account.annotations)
    ways = ["name the folders in data.images and data.masks"] if account.folders or account.stray else []
    lists = [file for file in account.annotations if file.endswith(".txt")]
    ways += ["name the file in data.annotations"] if len(lists) < len(account.annotations) else []
    ways += ["name the list in data.split"] if lists else []
    return f"to read {'it' if count == 1 else 'them'}, {', or '.join(ways)}"
