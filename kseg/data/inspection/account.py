"""Account for every picture and annotation file of a folder: what is read in which role, and what is left out."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from kseg.data.formats.annotated import is_annotation
from kseg.data.formats.layout import Layout
from kseg.data.formats.tree import Tree, join
from kseg.data.inspection.findings import Finding
from kseg.data.objects import Objects
from kseg.data.sample import Sample
from kseg.data.spec import DataSpec, Lists
from kseg.errors import abbreviate
from kseg.images import printable

__all__ = ["Account", "account_for", "left_out"]

_MOST_LEFT_OUT: Final = 0.05
"""A larger share of the pictures is not left out unasked."""
_DOCUMENTS: Final = (".json", ".txt", ".csv", ".tsv")


@dataclass(frozen=True)
class Account:
    """The pictures and annotation files of a folder.

    Args:
        images: Number of pictures that are read as images.
        masks: Number of pictures that are read as masks.
        pictures: Number of all pictures.
        folders: Folder none of whose pictures is read → their number.
        stray: Pictures that are not read, of folders from which others are.
        annotations: Annotation files that are not read.
        explained: File or folder that is not read, for a reason that the format or the settings give → the reason.
    """

    images: int
    masks: int
    pictures: int
    folders: Mapping[str, int]
    stray: Sequence[str]
    annotations: Sequence[str]
    explained: Mapping[str, str]


def account_for(layout: Layout, spec: DataSpec, samples: Iterable[Sample]) -> Account:
    """Account for the files of a folder.

    Args:
        layout: How it is read.
        spec: The data set.
        samples: The samples that are read from it, those that settings exclude as well.
    """
    tree, samples = layout.tree, list(samples)
    images = {os.path.abspath(sample.image) for sample in samples}
    masks = {os.path.abspath(sample.mask) for sample in samples if isinstance(sample.mask, Path)}
    sources = {os.path.abspath(sample.mask.source) for sample in samples if isinstance(sample.mask, Objects)}
    reasons = {**dict.fromkeys(spec.unused, "data.unused"), **layout.spare}
    explained: dict[str, str] = {}

    def is_left_out(file: str) -> bool:
        reason = _reason(file, reasons)
        if reason is not None:
            explained[reason] = reasons[reason]
        return reason is None

    pictures = [join(folder, name) for folder, names in tree.pictures.items() for name in names]
    unread = [file for file in pictures if os.path.abspath(tree.path(file)) not in images | masks]
    unread = [file for file in unread if is_left_out(file)]
    by_folder = Counter(os.path.dirname(file) for file in unread)
    whole = {folder: count for folder, count in by_folder.items() if count == len(tree.pictures[folder])}
    stray = [file for file in unread if os.path.dirname(file) not in whole]
    read = sources | {os.path.abspath(spec.root / name) for name in _settings_files(spec)}
    documents = [
        file for file in tree.named(*_DOCUMENTS)
        if os.path.abspath(tree.path(file)) not in read and not _belongs_to(file, spec, read, tree)
        and is_annotation(tree, file) and is_left_out(file)
    ]  # fmt: skip
    return Account(len(images), len(masks), len(pictures), whole, stray, documents, explained)


def _reason(file: str, reasons: Mapping[str, str]) -> str | None:
    """The entry of ``reasons`` that is the file, a folder above it, or a glob of either."""
    parts = file.split("/")
    paths = ["/".join(parts[: i + 1]) for i in range(len(parts))]
    return next((entry for entry in reasons if any(fnmatchcase(path, entry.rstrip("/")) for path in paths)), None)


def _settings_files(spec: DataSpec) -> list[str]:
    """The files that the settings name themselves."""
    split = spec.split
    lists = [split.train, split.val, split.test] if isinstance(split, Lists) else []
    return [*filter(None, lists), *([spec.annotations] if spec.annotations else [])]


def _belongs_to(file: str, spec: DataSpec, read: set[str], tree: Tree) -> bool:
    """Whether a file lies in the annotation folder, with the files that are read, or is described by one that is."""
    if spec.format in ("yolo", "labelme"):
        folder = os.path.abspath(tree.path(os.path.dirname(file)))
        described = bool(spec.annotations and spec.annotations.lower().endswith((".yaml", ".yml")))
        return described or folder in read or any(os.path.dirname(path) == folder for path in read)
    return False


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
    many = len(account.stray) > _MOST_LEFT_OUT * max(account.pictures, 1)
    asks = bool(account.folders or account.annotations or many) and not is_told
    unused = [*spec.unused, *(folder or "*" for folder in sorted(account.folders)), *account.annotations]
    unused += account.stray if many else ()
    names = [f"{printable(folder or '.')}/ ({size} pictures)" for folder, size in sorted(account.folders.items())]
    names += [printable(file) for file in (*account.annotations, *account.stray)]
    kinds = [f"{count} of {account.pictures} pictures"] if count else []
    kinds += [f"{len(account.annotations)} annotation files"] if account.annotations else []
    return Finding(
        code="left-out", severity="question" if asks else "note", what=f"{' and '.join(kinds)} are not read",
        why="a training without them may not be the one that is meant", count=count, total=account.pictures,
        files=tuple(account.stray), found=abbreviate(names, 6), guess={"data.unused": unused} if asks else {},
        advice="if they are samples, name the folders in data.images and data.masks, or the file in data.annotations"
        if asks else None,
    )  # fmt: skip
