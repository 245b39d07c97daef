"""Guess the layout of a data set from the names and headers of its files.

Tried in this order: COCO JSON, YOLO, VOC, LabelMe, a manifest, images and masks in separate folders, or in one folder.
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any, Final

from kseg.data.sample import SPLITS
from kseg.data.spec import DataSpec, Folders, Lists
from kseg.errors import DataError, ImageError, abbreviate
from kseg.images import IMAGE_SUFFIXES, image_header, printable

__all__ = ["guess_layout"]

_DEEPEST: Final = 4
_HEAD: Final = 1 << 20
"""Bytes of a JSON file that are searched, at its beginning and at its end."""
_TRUTH: Final = re.compile(r"mask|annot|label|gt|truth|seg|trimap|target", re.IGNORECASE)
_SPLIT: Final = re.compile(r"(?<![a-z])(training|train|validation|valid|val|testing|test)", re.IGNORECASE)
"""A split's name within a path: in ``train2017`` and ``testannot``, but not in ``interval``."""
_KINDS: Final = {"tr": "train", "va": "val", "te": "test"}
_MASK_MODES: Final = frozenset({"P", "1", "L", "I", "I;16", "I;16B"})

Settings = dict[str, Any]
"""Keyword arguments of `DataSpec`."""
Tree = dict[str, list[str]]
"""Folder below the root, as ``a/b`` ("" is the root) → the names of its files."""


def guess_layout(root: Path) -> DataSpec:
    """Guess format, images, masks, annotations and split of the data set in a folder.

    Raises:
        DataError: There is no such folder, or no known layout in it.
    """
    if not root.is_dir():
        raise DataError("no such folder", where=printable(root), expected="a folder with images and masks")
    tree = _tree(root)
    for guess in (_coco, _yolo, _voc, _labelme, _manifest, _folders, _one_folder):
        settings = guess(root, tree)
        if settings:
            return DataSpec(root, **settings)
    raise DataError(
        "no layout of a data set is recognised", where=printable(root),
        expected="folders of images and of masks with the same names, COCO, LabelMe or YOLO annotations, VOC, "
        "or a manifest (CSV with columns image, mask, split)",
        found=f"folders with images: {abbreviate(printable(folder or '.') for folder in _pictures(tree))}"
        if _pictures(tree) else "no images",
        remedy="say where the images and masks are with --set data.images=… --set data.masks=…",
    )  # fmt: skip


def _tree(root: Path) -> Tree:
    """The folders and files below the root, to a depth of `_DEEPEST`, without hidden ones."""
    tree: Tree = {}
    for parent, folders, names in os.walk(root):
        relative = os.path.relpath(parent, root)
        depth = 0 if relative == "." else relative.count(os.sep) + 1
        folders[:] = sorted(name for name in folders if not name.startswith(".")) if depth < _DEEPEST else []
        tree["" if relative == "." else Path(relative).as_posix()] = sorted(n for n in names if not n.startswith("."))
    return tree


def _is_picture(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES


def _stems(names: Iterable[str]) -> set[str]:
    return {os.path.splitext(name)[0] for name in names if _is_picture(name)}


def _pictures(tree: Tree) -> dict[str, set[str]]:
    """Folder → the stems of the images in it, for the folders that contain images."""
    return {folder: stems for folder, names in tree.items() if (stems := _stems(names))}


# --- splits ---------------------------------------------------------------------------------------------------------


def _split_of(path: str) -> tuple[str, str, str] | None:
    """The split that a path names (train, val, test), its name there, and the path with ``{split}`` in its place."""
    matches = list(_SPLIT.finditer(path))
    if not matches:
        return None
    match = matches[-1]
    return _KINDS[match[1][:2].lower()], match[1], f"{path[: match.start()]}{{split}}{path[match.end() :]}"


def _templates(pairs: Sequence[Sequence[str]]) -> tuple[list[str], dict[str, str]] | None:
    """Paths of several splits as templates, and split → its name in them; None if the paths do not correspond.

    ``[("train", "trainannot"), ("val", "valannot")]`` → ``["{split}", "{split}annot"], {train: train, val: val}``
    """
    columns: list[str] | None = None
    name_of: dict[str, str] = {}
    for paths in pairs:
        splits = [_split_of(path) for path in paths]
        if not all(splits):
            return None
        texts = {split[1] for split in splits if split}
        templates = [split[2] for split in splits if split]
        if len(texts) > 1 or (columns is not None and columns != templates):
            return None
        columns = templates
        name_of[splits[0][0] if splits[0] else ""] = texts.pop()
    return (columns, name_of) if columns and "train" in name_of else None


def _by_folders(name_of: Mapping[str, str]) -> Folders:
    return Folders(*(name_of.get(name, "") for name in SPLITS))


# --- published formats ------------------------------------------------------------------------------------------------


def _coco(root: Path, tree: Tree) -> Settings | None:
    files = [f"{folder}/{name}".lstrip("/") for folder, names in tree.items() for name in names if _ends(name, ".json")]
    files = [file for file in files if _holds(root / file, ("images", "annotations", "categories"))]
    if not files:
        return None
    image_folders = [_coco_images(file, tree) for file in files]
    pairs = [(folder, file) for folder, file in zip(image_folders, files, strict=True) if folder is not None]
    parallel = _templates(pairs)
    if parallel and len(pairs) > 1:
        (images, annotations), name_of = parallel
        return {"format": "coco", "images": images, "annotations": annotations, "split": _by_folders(name_of)}
    image_folder = pairs[0][0] if pairs else _largest(tree)
    return {"format": "coco", "images": image_folder, "annotations": files[0]}


def _coco_images(file: str, tree: Tree) -> str | None:
    """The image folder of an annotation file: the one whose name is part of the file's name; None if none is."""
    named = [f for f in _pictures(tree) if f and Path(f).name.lower() in Path(file).stem.lower()]
    return max(named, key=lambda folder: len(Path(folder).name), default=None)


def _largest(tree: Tree) -> str:
    """The folder with the most images."""
    pictures = _pictures(tree)
    return max(pictures, key=lambda folder: len(pictures[folder])) or "." if pictures else "images"


def _holds(path: Path, keys: Iterable[str]) -> bool:
    """Whether a JSON file seems to have these keys, by a text search at its beginning and end; it is not parsed."""
    try:
        with path.open("rb") as file:
            text = file.read(_HEAD)
            file.seek(max(0, path.stat().st_size - _HEAD))
            text += file.read()
    except OSError:
        return False
    return all(f'"{key}"'.encode() in text for key in keys)


def _yolo(root: Path, tree: Tree) -> Settings | None:
    labels = [
        folder for folder in tree if "labels" in folder.split("/") and any(_ends(n, ".txt") for n in tree[folder])
    ]
    pairs = [(folder.replace("labels", "images", 1), folder) for folder in labels]
    pairs = [pair for pair in pairs if pair[0] in _pictures(tree) and _polygons(root / pair[1], tree[pair[1]])]
    if not pairs:
        return None
    parallel = _templates(pairs)
    if parallel:
        (images, annotations), name_of = parallel
        return {"format": "yolo", "images": images, "annotations": annotations, "split": _by_folders(name_of)}
    return {"format": "yolo", "images": pairs[0][0], "annotations": pairs[0][1]}


def _polygons(folder: Path, names: Iterable[str]) -> bool:
    """Whether the first non-empty text file looks like YOLO's: lines of a class index and numbers in 0..1."""
    for name in names:
        try:
            line = (folder / name).read_text("utf-8").strip().splitlines()[0].split() if _ends(name, ".txt") else []
            if line:
                return line[0].isdecimal() and all(0 <= float(number) <= 1 for number in line[1:])
        except (OSError, ValueError, IndexError):
            continue
    return False


def _voc(root: Path, tree: Tree) -> Settings | None:
    for folder in tree:
        parent = folder.rpartition("/")[0]
        prefix = f"{parent}/" if parent else ""
        if folder.split("/")[-1] == "SegmentationClass" and f"{prefix}JPEGImages" in tree:
            folder_of_lists = f"{prefix}ImageSets/Segmentation"
            lists_of = {name: f"{folder_of_lists}/{name}.txt" for name in SPLITS}
            existing = {name: path if (root / path).is_file() else "" for name, path in lists_of.items()}
            settings = {"format": "voc", "images": f"{prefix}JPEGImages", "masks": folder}
            return {**settings, "split": Lists(*existing.values())} if existing["train"] else settings
    return None


def _labelme(root: Path, tree: Tree) -> Settings | None:
    for folder, names in tree.items():
        json_files = [n for n in names if _ends(n, ".json") and os.path.splitext(n)[0] in _stems(names)]
        if json_files and _holds(root / folder / json_files[0], ("shapes",)):
            return {"format": "labelme", "images": folder or "."}
    return None


def _manifest(root: Path, tree: Tree) -> Settings | None:
    for name in tree[""]:
        if _ends(name, ".csv") or _ends(name, ".tsv"):
            delimiter = "\t" if _ends(name, ".tsv") else ","
            try:
                with (root / name).open(encoding="utf-8-sig", newline="") as file:
                    header = [cell.strip().lower() for cell in next(csv.reader(file, delimiter=delimiter), [])]
            except (OSError, ValueError, csv.Error):
                continue
            if {"image", "mask"} <= set(header):
                return {"format": "manifest", "annotations": name}
    return None


def _ends(name: str, suffix: str) -> bool:
    return name.lower().endswith(suffix)


# --- pictures and masks in folders ------------------------------------------------------------------------------------


def _folders(root: Path, tree: Tree) -> Settings | None:
    pictures = _pictures(tree)
    pairs: list[tuple[str, str, str]] = []
    for masks in sorted(pictures, key=lambda folder: _score(root, folder, tree), reverse=True):
        assigned = {folder for pair in pairs for folder in pair[:2]}
        if masks in assigned:
            continue
        best = max(
            ((images, *_match(pictures[images], pictures[masks]))
             for images in pictures if images not in {masks, *assigned}),
            key=lambda candidate: (candidate[1], _common_prefix(candidate[0], masks)), default=None,
        )  # fmt: skip
        if best and best[1] >= 0.5:
            pairs.append((best[0], masks, best[2]))
    if not pairs:
        return None
    return _paired(root, pairs)


def _paired(root: Path, pairs: Sequence[tuple[str, str, str]]) -> Settings:
    suffix = {"mask_suffix": pairs[0][2]} if pairs[0][2] else {}
    parallel = _templates([pair[:2] for pair in pairs])
    if parallel and len({pair[2] for pair in pairs}) == 1:
        (images, masks), name_of = parallel
        return {"images": images, "masks": masks, **suffix, "split": _by_folders(name_of)}
    images, masks, _ = pairs[0]
    lists = {name: f"{name}.txt" for name in SPLITS}
    existing = {name: path if (root / path).is_file() else "" for name, path in lists.items()}
    settings = {"images": images or ".", "masks": masks or ".", **suffix}
    return {**settings, "split": Lists(*existing.values())} if existing["train"] else settings


def _match(images: set[str], masks: set[str]) -> tuple[float, str]:
    """The fraction of the images that have a mask, and the suffix of the masks' stems after the images'."""
    common = len(images & masks) / max(len(images), len(masks))
    if common:
        return common, ""
    first = min(images)
    mask_stem = min((m for m in masks if m.startswith(first)), key=len, default=first)
    suffix = mask_stem[len(first) :]
    if not suffix:
        return 0.0, ""
    return sum(stem + suffix in masks for stem in images) / max(len(images), len(masks)), suffix


def _common_prefix(first: str, second: str) -> int:
    """Length of the common prefix of two paths."""
    pairs = zip(first, second, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _score(root: Path, folder: str, tree: Tree) -> float:
    """How much a folder looks like one of masks, by its name and by how its files are stored; higher is more."""
    sample_names = [name for name in tree[folder] if _is_picture(name)][:5]
    mask_like = sum(_stored_as_mask(root / folder / name) for name in sample_names) / len(sample_names)
    lossless = sum(not name.lower().endswith((".jpg", ".jpeg")) for name in sample_names) / len(sample_names)
    return 2.0 * bool(_TRUTH.search(Path(folder).name)) + bool(_TRUTH.search(folder)) + mask_like + 0.5 * lossless


def _stored_as_mask(path: Path) -> bool:
    try:
        return image_header(path).mode in _MASK_MODES
    except ImageError:
        return False


def _one_folder(root: Path, tree: Tree) -> Settings | None:
    """Images and masks in the same folder: ``cat.jpg`` and ``cat_mask.png``."""
    del root
    for folder, stems in _pictures(tree).items():
        suffixes = [longer[len(stem) :] for stem, longer in zip(sorted(stems), sorted(stems)[1:], strict=False)
                if longer.startswith(stem)]  # fmt: skip
        suffix = max(set(suffixes), key=suffixes.count, default="")
        pictures = {stem for stem in stems if not (suffix and stem.endswith(suffix))}
        if _TRUTH.search(suffix) and 2 * sum(stem + suffix in stems for stem in pictures) >= len(pictures):
            return {"images": folder or ".", "masks": folder or ".", "mask_suffix": suffix}
    return None
