"""Find the folders of images and of masks that belong together, and what is doubtful about them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from kseg.data.formats.layout.folder_roles import Roles
from kseg.data.formats.layout.name_patterns import Decoration, Side, decoration_between, sides_of
from kseg.data.formats.layout.split_names import split_named
from kseg.data.formats.layout.tree import Tree

__all__ = ["FolderPair", "find_pairs"]

_ALL_TRIED: Final = 40
"""Up to this number of folders, each is tried as the images of each folder of masks."""
_PROBED: Final = 3
"""Files of a folder by whose stems other folders are found."""


@dataclass(frozen=True)
class FolderPair:
    """A folder of images and the folder of their masks, which may be the same.

    Args:
        images: The folder of the images.
        masks: The folder of the masks.
        decoration: How the names of the files differ.
        count: Number of pairs.
        doubt: Why images and masks may be the other way around, or no masks at all; None if they are certain.
        other_images: Folders that may be meant in place of ``images``.
        other_masks: Folders that may be meant in place of ``masks``.
    """

    images: str
    masks: str
    decoration: Decoration
    count: int
    doubt: str | None = None
    other_images: tuple[str, ...] = ()
    other_masks: tuple[str, ...] = ()


def find_pairs(tree: Tree, images: Sequence[str], masks: Sequence[str]) -> list[FolderPair]:
    """The pairs of folders: one for each folder of images.

    Args:
        tree: The files.
        images: The folders that may hold images.
        masks: The folders that may hold masks.
    """
    roles = Roles(tree)
    within = list(_within_folders(tree, roles, sorted({*images} & {*masks})))
    mixed = {pair.images for pair in within}
    search = _Search(
        tree, roles, [folder for folder in images if folder not in mixed], [f for f in masks if f not in mixed]
    )
    return [*within, *search.pairs()]


def _within_folders(tree: Tree, roles: Roles, folders: Iterable[str]) -> Iterator[FolderPair]:
    """The folders that hold images and their masks side by side."""
    for folder in folders:
        names = tree.pictures[folder]
        sides = [side for side in sides_of(names) if side.role != "derived" and 4 * len(side.masks) >= len(names)]
        ranked = sorted(sides, key=lambda side: (side.role != "mask", -len(side.masks)))
        certain = (side for side in ranked if side.role == "mask" or _masks_by_content(side, folder, roles))
        side = next(certain, None)
        if side is not None:
            yield FolderPair(folder, folder, side.decoration, len(side.masks))


def _masks_by_content(side: Side, folder: str, roles: Roles) -> bool:
    return roles.look_like_masks(folder, side.masks) and not roles.look_like_masks(folder, side.images)


class _Search:
    """Finds pairs of two folders.

    Args:
        tree: The files.
        roles: What they look like.
        images: The folders that may hold images.
        masks: The folders that may hold masks.
    """

    def __init__(self, tree: Tree, roles: Roles, images: Sequence[str], masks: Sequence[str]) -> None:
        self._tree = tree
        self._roles = roles
        self._images = images
        self._masks = masks
        self._index = _Index(tree, images) if len(images) > _ALL_TRIED else None

    def pairs(self) -> list[FolderPair]:
        """For each folder of images its likeliest folder of masks."""
        named = [folder for folder in self._masks if self._roles.role_of(folder) == "mask"]
        masks = named or [folder for folder in self._masks if folder in self._roles.by_content()]
        pairs = [pair for folder in masks if (pair := self._images_for(folder, masks)) is not None]
        if not pairs and not named:
            return self._in_doubt()
        by_images: dict[str, list[FolderPair]] = defaultdict(list)
        for pair in pairs:
            by_images[pair.images].append(pair)
        return [self._likeliest(same_images) for same_images in by_images.values()]

    def _images_for(self, masks: str, all_masks: Sequence[str]) -> FolderPair | None:
        """The folder of images for a folder of masks: of those of the nearest path, the likeliest by its name."""
        candidates = [
            pair for folder in self._candidates(masks)
            if folder not in all_masks and (pair := self._match(folder, masks)) is not None
        ]  # fmt: skip
        if not candidates:
            return None
        nearest = max(map(_nearness, candidates))
        ranked = sorted(
            (pair for pair in candidates if _nearness(pair) == nearest),
            key=lambda pair: (-self._likely_images(pair.images), -pair.count, pair.images),
        )
        best = ranked[0]
        likely = [
            pair.images for pair in ranked[1:] if self._likely_images(pair.images) == self._likely_images(best.images)
        ]
        return replace(best, other_images=tuple(likely))

    def _candidates(self, masks: str) -> Iterable[str]:
        return self._images if self._index is None else self._index.near(masks)

    def _likeliest(self, pairs: Sequence[FolderPair]) -> FolderPair:
        ranked = sorted(pairs, key=lambda pair: (-pair.count, "instance" in pair.masks.lower(), pair.masks))
        best = ranked[0]
        others = tuple(pair.masks for pair in ranked[1:] if 2 * pair.count >= best.count)
        return replace(best, other_masks=others, doubt=self._doubt(best))

    def _doubt(self, pair: FolderPair) -> str | None:
        """Why the files speak against what the names say; only asked of few folders, since it reads them."""
        if len(self._tree.pictures) > _ALL_TRIED:
            return None
        if self._roles.look_like_masks(pair.images) and not self._roles.look_like_masks(pair.masks):
            return f"the files of {pair.images or '.'} have few values, as masks do, those of {pair.masks or '.'} many"
        return None

    def _in_doubt(self) -> list[FolderPair]:
        """Two folders that pair, where neither names nor contents say which one holds the masks."""
        if len(self._images) > _ALL_TRIED:
            return []
        # What is named as images and looks like images is no mask.
        possible = [
            folder for folder in self._masks
            if self._roles.role_of(folder) != "image" or self._roles.look_like_masks(folder)
        ]  # fmt: skip
        ranked = sorted(possible, key=lambda folder: (self._likely_images(folder), folder))
        for masks in ranked:
            for images in sorted(self._images, key=lambda folder: (-self._likely_images(folder), folder)):
                pair = self._match(images, masks) if images != masks else None
                if pair is not None:
                    doubt = "neither the names of the folders nor their files say which one holds masks"
                    return [replace(pair, doubt=doubt)]
        return []

    def _likely_images(self, folder: str) -> int:
        """2 if the path says images, 1 if it says nothing, 0 if it says what is derived from images."""
        return {"image": 2, "": 1}.get(self._roles.role_of(folder), 0)

    def _match(self, images: str, masks: str) -> FolderPair | None:
        """The two folders as a pair, if they belong to the same split and enough of their files pair."""
        splits = {split_named(images), split_named(masks)}
        if len(splits - {""}) > 1:
            return None
        image_names, mask_names = self._tree.pictures[images], self._tree.pictures[masks]
        decoration, count = decoration_between(image_names, mask_names)
        # Names that say what the folders hold suffice where only some images have masks.
        is_named = (self._roles.role_of(images), self._roles.role_of(masks)) == ("image", "mask")
        size = (min if is_named and len(splits) == 1 else max)(len(image_names), len(mask_names))
        return FolderPair(images, masks, decoration, count) if decoration and 2 * count >= size else None


def _nearness(pair: FolderPair) -> int:
    """How many folders two paths share, from the left and from the right."""
    first, second = pair.images.split("/"), pair.masks.split("/")
    shared = 0
    for ours, theirs in ((first, second), (first[::-1], second[::-1])):
        for a, b in zip(ours, theirs, strict=False):
            if a != b:
                break
            shared += 1
    return shared


class _Index:
    """Finds folders by the stems of their files, or by a path that differs in one part, where there are many."""

    def __init__(self, tree: Tree, folders: Sequence[str]) -> None:
        self._tree = tree
        self._by_stem: dict[str, list[str]] = defaultdict(list)
        self._by_path: dict[tuple[str, ...], list[str]] = defaultdict(list)
        for folder in folders:
            for stem in tree.stems[folder]:
                self._by_stem[stem].append(folder)
            for path in _without_a_part(folder):
                self._by_path[path].append(folder)

    def near(self, masks: str) -> list[str]:
        """The folders that may hold the images of a folder of masks."""
        similar = [self._by_path[path] for path in _without_a_part(masks)]
        stems = sorted(self._tree.stems[masks])[:_PROBED]
        holding = [folder for stem in stems for folder in self._by_stem[stem][:_ALL_TRIED]]
        # Many folders that differ from this one alike: masks of other parts.
        alike = [folder for folders in similar if len(folders) <= _ALL_TRIED for folder in folders]
        candidates = dict.fromkeys([*alike, *holding])
        return [folder for folder in candidates if folder != masks]


def _without_a_part(folder: str) -> Iterator[tuple[str, ...]]:
    parts = folder.split("/")
    yield from ((*parts[:i], "*", *parts[i + 1 :]) for i in range(len(parts)))
