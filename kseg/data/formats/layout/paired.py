"""Recognise images and masks in folders, by the names of the folders and files and by how the files are stored.

In two folders, of the same stems or with other text around; in one folder (``cat.jpg``, ``cat_mask.png``); each of them
for every split, or for several parts of the data set.
"""

from __future__ import annotations

import glob
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from kseg.data.formats.layout.folder_globs import merge_rows
from kseg.data.formats.layout.folder_pairs import FolderPair, find_pairs
from kseg.data.formats.layout.name_patterns import Decoration
from kseg.data.formats.layout.path_patterns import as_yaml, covers
from kseg.data.formats.layout.reading import LayoutReading
from kseg.data.formats.layout.split_lists import split_lists
from kseg.data.formats.layout.split_names import PathGroup, group_by_split, split_named
from kseg.data.formats.layout.tree import Tree, is_below
from kseg.data.question import Question
from kseg.errors import abbreviate

__all__ = ["paired"]

Row = tuple[str, str]

_SHOWN: Final = 3
"""Other folders that a question names."""


@dataclass(frozen=True)
class _Cover:
    """Settings of images, masks and split, and the pairs of folders that they read."""

    settings: Mapping[str, Any]
    pairs: Sequence[FolderPair]

    @property
    def size(self) -> tuple[bool, int, bool]:
        """What makes one cover preferable to another."""
        is_certain = all(pair.doubt is None for pair in self.pairs)
        return is_certain, sum(pair.count for pair in self.pairs), "split" in self.settings


def paired(tree: Tree, images: str | None = None, masks: str | None = None) -> LayoutReading | None:
    """Images and masks in folders.

    Args:
        tree: The files.
        images: The folder or glob of the images, if the user says so.
        masks: The same of the masks.
    """
    folders = list(tree.pictures)
    image_folders, mask_folders = (_chosen(setting, folders) for setting in (images, masks))
    if masks is not None and images is None and set(mask_folders) != set(folders):
        image_folders = [folder for folder in folders if folder not in mask_folders]
    pairs = find_pairs(tree, image_folders, mask_folders)
    if not pairs:
        return None
    cover = max(_covers(tree, pairs), key=lambda cover: cover.size)
    return _reading(tree, cover, find_pairs(tree, folders, folders) if images or masks else pairs)


def _chosen(setting: str | None, folders: Sequence[str]) -> list[str]:
    return [folder for folder in folders if setting is None or covers(setting, folder)]


def _reading(tree: Tree, cover: _Cover, all_pairs: Sequence[FolderPair]) -> LayoutReading:
    first = cover.pairs[0]
    names = first.images or ".", first.masks or "."
    why = (
        f"{names[0]} holds images and masks" if names[0] == names[1] else f"the files of {names[0]} and {names[1]} pair"
    )
    lists, redundant = split_lists(tree, {pair.images for pair in cover.pairs})
    settings, spare = dict(cover.settings), _not_chosen(cover, all_pairs)
    if "split" in settings:
        spare |= redundant
    elif lists is not None:
        settings["split"] = lists
    claims = tuple(dict.fromkeys(map(_claim, cover.pairs)))
    return LayoutReading(
        settings, why, tuple(_questions(tree, cover)), spare, claims, is_doubtful=first.doubt is not None
    )


def _claim(pair: FolderPair) -> str:
    """The folder or glob of the masks."""
    if pair.images != pair.masks:
        return pair.masks or "*"
    pattern = pair.decoration.masks or f"*{glob.escape(pair.decoration.suffix)}.*"
    return f"{glob.escape(pair.masks)}/{pattern}" if pair.masks else pattern


def _not_chosen(cover: _Cover, all_pairs: Sequence[FolderPair]) -> dict[str, str]:
    """The folders that a question names in place of those that are read → why they are not."""
    read = {folder for pair in cover.pairs for folder in (pair.images, pair.masks)}
    images = {pair.images for pair in cover.pairs}
    named = [
        folder for pair in all_pairs for folder in (pair.images, pair.masks, *pair.other_masks, *pair.other_images)
        if pair.images in images or pair.masks in read
    ]  # fmt: skip
    return {folder: "not chosen" for folder in sorted({*named} - read) if folder}


def _questions(tree: Tree, cover: _Cover) -> Iterator[Question]:
    """One question for each thing that is doubtful; those of the other splits and parts are the same."""
    doubtful = next((pair for pair in cover.pairs if pair.doubt), None)
    if doubtful is not None:
        yield Question(
            f"which folder holds the masks: {doubtful.masks or '.'} or {doubtful.images or '.'}?", str(doubtful.doubt),
            {"data.masks": cover.settings["masks"]}, otherwise=f"set data.masks: {as_yaml(cover.settings['images'])}",
        )  # fmt: skip
    for key, ours, others in (("masks", "masks", "other_masks"), ("images", "images", "other_images")):
        pair = next((pair for pair in cover.pairs if getattr(pair, others)), None)
        if pair is not None:
            rivals = getattr(pair, others)
            alternatives = dict.fromkeys(_alternative(tree, cover, key, rival, pair) for rival in rivals[:_SHOWN])
            yield Question(
                f"which folder holds the {key}: {getattr(pair, ours) or '.'} or {abbreviate(rivals, _SHOWN)}?",
                f"the files of each pair with those of {(pair.images if key == 'masks' else pair.masks) or '.'}",
                {f"data.{key}": cover.settings[key]},
                otherwise=f"set data.{key}: {' or '.join(map(as_yaml, alternatives))}",
            )  # fmt: skip


def _alternative(tree: Tree, cover: _Cover, key: str, rival: str, pair: FolderPair) -> str:
    """The setting that reads the rival, in all splits and parts that are alike."""
    ours = getattr(pair, key)
    replaced = str(cover.settings[key])
    for mine, other in zip(ours.split("/"), rival.split("/"), strict=False):
        if mine != other:
            replaced = "/".join(other if part == mine else part for part in replaced.split("/"))
    matches = any(covers(replaced, folder) for folder in tree.pictures)
    return replaced if matches and len(ours.split("/")) == len(rival.split("/")) else rival


def _covers(tree: Tree, pairs: Sequence[FolderPair]) -> Iterator[_Cover]:
    """Settings that read all pairs of one decoration, or the pairs of one of their groups."""
    by_decoration: dict[Decoration, list[FolderPair]] = defaultdict(list)
    for pair in pairs:
        by_decoration[pair.decoration].append(pair)
    for decoration, alike in by_decoration.items():
        pair_of = {(pair.images, pair.masks): pair for pair in alike}
        for settings, rows in _settings(tree, list(pair_of), decoration):
            yield _Cover(decoration.apply(settings), [pair_of[row] for row in rows])


def _settings(tree: Tree, rows: Sequence[Row], decoration: Decoration) -> Iterator[tuple[dict[str, Any], list[Row]]]:
    """Settings of images, masks and split, each with the rows that it reads."""
    parts = group_by_split(rows, partial=True)
    splits = [group for group in parts if group.names]
    # Test images are no part of the training images where nothing says which those are.
    are_alike = len({split_named(row[0]) for row in rows}) == 1
    merged = _merged(tree, splits or (parts if are_alike else []), decoration)
    if merged is not None:
        yield merged
        if len(merged[1]) == len(rows):
            return
    for group in group_by_split(rows):
        yield _of_group(tree, group, decoration)


def _merged(tree: Tree, groups: Sequence[PathGroup], decoration: Decoration) -> tuple[dict[str, Any], list[Row]] | None:
    """One setting for groups that are parts of a data set; None if there is none, or only one group."""
    names = _common_names(groups)
    if len(groups) < 2 or names is None:
        return None
    members = {
        folder: path for group in groups for row in group.members for folder, path in zip(row, group.paths, strict=True)
    }
    folders = [members.get(folder, folder) for folder in tree.pictures]
    merged = merge_rows([group.paths for group in groups], folders, recursive=not decoration.images)
    if merged is None:
        return None
    whole = PathGroup(merged.paths, names, ())
    return _named(whole.paths, whole), [(row[0], row[1]) for group in groups for row in group.members]


def _common_names(groups: Sequence[PathGroup]) -> dict[str, str] | None:
    """The names of the splits, if the groups agree on them."""
    names: dict[str, str] = {}
    for group in groups:
        for split, name in group.names.items():
            if names.setdefault(split, name) != name:
                return None
    return names


def _of_group(tree: Tree, group: PathGroup, decoration: Decoration) -> tuple[dict[str, Any], list[Row]]:
    rows = [(row[0], row[1]) for row in group.members]
    paths = group.paths
    members = {folder for row in rows for folder in row}
    others = {*tree.pictures, *tree.own_folders} - members
    if decoration.images:
        paths = tuple(map(glob.escape, paths))
    elif any(is_below(other, member) for other in others for member in members):
        # Without the folders below.
        paths = tuple(f"{glob.escape(path)}/*" if path else "*" for path in paths)
    return _named(paths, group), rows


def _named(paths: Sequence[str], group: PathGroup) -> dict[str, Any]:
    return {"images": paths[0] or ".", "masks": paths[1] or ".", **group.split}
