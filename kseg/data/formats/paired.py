"""Recognise images and masks in folders, by the names of the folders and files and by how the files are stored.

In two folders, of the same stems or with a prefix or suffix; in one folder (``cat.jpg``, ``cat_mask.png``); each of
them for every split, or for several parts of the data set.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from kseg.data.formats.folder_roles import Roles, is_mask_name
from kseg.data.formats.layout_reading import LayoutReading
from kseg.data.formats.name_patterns import Decoration, decoration_between, decorations_within
from kseg.data.formats.split_names import group_by_split, merge_parts, split_named
from kseg.data.formats.tree import Tree
from kseg.data.question import Question
from kseg.data.sample import SPLITS
from kseg.data.spec import Lists

__all__ = ["paired"]

_FEWEST: float = 0.5
"""A folder holds the masks of another if at least this share of the larger one's files pair."""


@dataclass(frozen=True)
class _Pair:
    """An image folder and its mask folder, the decoration of the file names, and what is doubtful about it."""

    images: str
    masks: str
    decoration: Decoration
    count: int
    doubt: str | None = None


def paired(tree: Tree, images: str | None = None, masks: str | None = None) -> LayoutReading | None:
    """Images and masks in folders.

    Args:
        tree: The files.
        images: The image folder, if the user says so.
        masks: The mask folder, if the user says so.
    """
    roles = Roles(tree)
    pairs = _within_folders(tree) + _between_folders(tree, roles)
    pairs = [pair for pair in pairs if images in (None, pair.images or ".") and masks in (None, pair.masks or ".")]
    if not pairs:
        return None
    return _reading(tree, _first_for_each(pairs, roles))


def _first_for_each(pairs: Sequence[_Pair], roles: Roles) -> list[_Pair]:
    """For each image folder its likeliest mask folder; the others are left over, which the check reports."""
    by_images: dict[str, list[_Pair]] = defaultdict(list)
    for pair in pairs:
        by_images[pair.images].append(pair)
    return [max(group, key=lambda pair: (pair.count, roles.mask_score(pair.masks))) for group in by_images.values()]


def _reading(tree: Tree, pairs: Sequence[_Pair]) -> LayoutReading:
    """The largest group of pairs that one setting of images, masks and split describes."""
    by_decoration: dict[Decoration, list[_Pair]] = defaultdict(list)
    for pair in pairs:
        by_decoration[pair.decoration].append(pair)
    best: tuple[int, dict[str, Any], list[_Pair]] = (0, {}, [])
    for decoration, same in by_decoration.items():
        pair_of = {(pair.images, pair.masks): pair for pair in same}
        for settings, rows in _settings(tree, list(pair_of)):
            members = [pair_of[row] for row in rows]
            size = sum(pair.count for pair in members)
            if size > best[0]:
                best = size, decoration.apply(settings), members
    _, settings, members = best
    why = f"the files of {members[0].images or '.'} and {members[0].masks or '.'} pair by name"
    return LayoutReading(
        settings, why, questions=tuple(_question(pair, settings) for pair in members if pair.doubt)[:1]
    )


def _question(pair: _Pair, settings: Mapping[str, Any]) -> Question:
    guess = {f"data.{key}": settings[key] for key in ("images", "masks")}
    return Question(
        f"which folder holds the images, and which the masks: {pair.images} and {pair.masks}?", str(pair.doubt), guess,
        otherwise=f"set data.images: {pair.masks or '.'} and data.masks: {pair.images or '.'}",
    )  # fmt: skip


def _settings(tree: Tree, rows: list[tuple[str, str]]) -> list[tuple[dict[str, Any], list[tuple[str, str]]]]:
    """Settings of images, masks and split, each with the rows that it covers."""
    groups = group_by_split(rows)
    templates = [group.paths for group in groups]
    same_splits = len({tuple(group.names.items()) for group in groups}) == 1
    globs = merge_parts(templates, list(tree.pictures)) if len(groups) > 1 and same_splits else None
    if globs is not None:
        return [(_named(tree, globs, groups[0].split), rows)]
    return [
        (_named(tree, group.paths, group.split), [(row[0], row[1]) for row in group.members]) for group in groups
    ]  # fmt: skip


def _named(tree: Tree, paths: Sequence[str], split: Mapping[str, Any]) -> dict[str, Any]:
    settings = {"images": paths[0] or ".", "masks": paths[1] or ".", **split}
    lists = {name: f"{name}.txt" if tree.path(f"{name}.txt").is_file() else "" for name in SPLITS}
    return {**settings, "split": Lists(*lists.values())} if lists["train"] and not split else settings


def _between_folders(tree: Tree, roles: Roles) -> list[_Pair]:
    """The pairs of an image folder and a mask folder."""
    named = [folder for folder in tree.pictures if is_mask_name(folder)]
    pairs = [pair for folder in named or roles.by_content() for pair in _images_for(folder, tree, roles, named)]
    return pairs or ([] if named else _in_doubt(tree, roles))


def _images_for(masks: str, tree: Tree, roles: Roles, named: Sequence[str]) -> list[_Pair]:
    """The image folder of a mask folder: of those of the nearest path, the likeliest by its name."""
    candidates = [
        pair for folder in tree.pictures
        if folder != masks and folder not in named and (pair := _match(folder, masks, tree)) is not None
    ]  # fmt: skip
    if not candidates:
        return []
    nearest = max(_nearness(pair.images, masks) for pair in candidates)
    candidates = [pair for pair in candidates if _nearness(pair.images, masks) == nearest]
    best = max(candidates, key=lambda pair: (roles.image_score(pair.images), pair.count))
    rivals = [
        pair.images for pair in candidates
        if pair is not best and roles.image_score(pair.images) >= roles.image_score(best.images)
    ]  # fmt: skip
    doubt = f"{', '.join(sorted([best.images, *rivals]))} pair with {masks} alike" if rivals else None
    if doubt is None and roles.looks_like_masks(best.images) and not roles.looks_like_masks(masks):
        doubt = f"the files of {best.images or '.'} have few values, as masks do, and those of {masks or '.'} many"
    return [replace(best, doubt=doubt)]


def _in_doubt(tree: Tree, roles: Roles) -> list[_Pair]:
    """Two folders that pair, where neither names nor contents say which one holds the masks."""
    folders = sorted(tree.pictures, key=lambda folder: (-roles.mask_score(folder), folder))
    for masks in folders:
        for images in folders:
            pair = _match(images, masks, tree) if images != masks else None
            if pair is not None:
                doubt = "neither the names of the folders nor their files say which one holds the masks"
                return [replace(pair, doubt=doubt)]
    return []


def _match(images: str, masks: str, tree: Tree) -> _Pair | None:
    """The two folders as a pair, if they belong to the same split and enough of their files pair."""
    if split_named(images) != split_named(masks):
        return None
    decoration, count = decoration_between(tree.stems[images], tree.stems[masks])
    largest = max(len(tree.stems[images]), len(tree.stems[masks]))
    return _Pair(images, masks, decoration, count) if decoration and count >= _FEWEST * largest else None


def _nearness(first: str, second: str) -> int:
    """How many folders two paths share, from the left and from the right."""
    left, right = first.split("/"), second.split("/")
    shared = 0
    for ours, theirs in ((left, right), (left[::-1], right[::-1])):
        for a, b in zip(ours, theirs, strict=False):
            if a != b:
                break
            shared += 1
    return shared


def _within_folders(tree: Tree) -> list[_Pair]:
    """The folders that hold images and their masks side by side."""
    pairs = []
    for folder, names in tree.pictures.items():
        decoration, count = decorations_within(names)
        if decoration is not None and 2 * count >= _FEWEST * len(names):
            pairs.append(_Pair(folder, folder, decoration, count))
    return pairs
