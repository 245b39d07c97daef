"""Read the layout of a data set from the names and contents of its files: format, images, masks, split, classes.

Every format is tried. Where several read the folder, or a decision within one is not certain, the layout has a
`Question`, and what it guesses is not applied unasked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from kseg.data.formats.layout.annotated import coco, manifest, voc
from kseg.data.formats.layout.annotated_images import labelme, yolo
from kseg.data.formats.layout.folder_roles import Roles
from kseg.data.formats.layout.paired import paired
from kseg.data.formats.layout.path_patterns import as_yaml, covers
from kseg.data.formats.layout.reading import LayoutReading
from kseg.data.formats.layout.tree import Tree
from kseg.data.formats.table import READERS
from kseg.data.question import Question
from kseg.errors import DataError, abbreviate, shell_command
from kseg.images import printable
from kseg.registry import lookup

__all__ = ["Layout", "read_layout"]

_ANNOTATED: Final = (coco, yolo, labelme, manifest)
_MASK_FILES: Final = ("voc", "manifest", "folders")
"""Formats whose ground truth is image files, so that several of them may describe the same files."""
_WITHOUT_LAYOUT: Final = ("lists", "tfds")
"""Formats whose files only the user can name."""
_PLACES: Final = ("images", "masks")
_DERIVED: Final = ("split", "mask_suffix")
_DECIDES_FORMAT: Final = frozenset({"format", "masks", "annotations"})


@dataclass(frozen=True)
class Layout:
    """How a folder is read.

    Args:
        tree: Its files.
        settings: Dotted key → value, of the settings that are certain.
        why: What in the folder says so.
        questions: The decisions that are guessed.
        spare: Path or glob of files that are not read → why.
        is_told: Whether the user names the images and their ground truth, so that no layout was looked for.
        configured: The keys of the section ``data`` that the user sets.
    """

    tree: Tree
    settings: Mapping[str, Any]
    why: str
    questions: tuple[Question, ...] = ()
    spare: Mapping[str, str] = field(default_factory=dict)
    is_told: bool = False
    configured: frozenset[str] = frozenset()

    @property
    def provisional(self) -> dict[str, Any]:
        """The settings with what is guessed: dotted key → value."""
        guesses = {key: value for question in self.questions for key, value in question.guess.items()}
        return {**self.settings, **guesses}

    def answered(self, settings: Mapping[str, Any]) -> Layout:
        """The layout without the questions that these settings answer (by dotted key)."""
        questions = tuple(question for question in self.questions if not set(question.guess) & set(settings))
        return replace(self, questions=questions, settings={**self.provisional})


def read_layout(root: Path, configured: Mapping[str, Any] | None = None) -> Layout:
    """Read how the data set in a folder is laid out.

    Args:
        root: The folder.
        configured: Keyword arguments of `DataSpec` that the user sets.

    Raises:
        DataError: There is no such folder, or no known layout in it.
    """
    configured = {key: value for key, value in (configured or {}).items() if value is not None}
    if not root.is_dir():
        raise DataError("no such folder", where=printable(root), expected="a folder with images and masks")
    if "format" in configured:
        lookup(READERS, configured["format"], kind="format", where="data.format")
    tree = Tree.of(root, chosen=tuple(str(configured[key]) for key in _PLACES if key in configured))
    readings = _readings(tree, configured)
    matching = [reading for reading in readings if _agrees(reading, configured)]
    if (
        set(configured) >= {*_PLACES}
        or configured.get("format") in _WITHOUT_LAYOUT
        or (not matching and _names_places(configured))
    ):
        return _told_layout(tree, configured, matching)
    if not matching and set(_PLACES) & set(configured):
        return _completed(tree, configured)
    if not matching:
        return _by_names_of_folders(tree, configured)
    chosen = _likeliest(matching, tree)
    rivals = [other for other in readings if other is not chosen and _competes(chosen, other)]
    questions = [_which_format(chosen, rivals)] if rivals and not set(configured) & _DECIDES_FORMAT else []
    questions += [question for question in chosen.questions if not _answers(configured, question)]
    guessed = {key for question in questions for key in question.guess}
    settings = {f"data.{key}": value for key, value in chosen.settings.items()}
    certain = {key: value for key, value in settings.items() if key not in guessed}
    return Layout(
        tree, certain, chosen.why, tuple(questions), _spare(chosen, readings), configured=frozenset(configured)
    )


def _readings(tree: Tree, configured: Mapping[str, Any]) -> list[LayoutReading]:
    """Every way to read the folder: annotations first, since they are made for it; doubtful ones last."""
    annotated = [recognise(tree, configured.get("annotations")) for recognise in _ANNOTATED]
    readings = [*annotated, voc(tree), paired(tree, configured.get("images"), configured.get("masks"))]
    return sorted((reading for reading in readings if reading is not None), key=lambda reading: reading.is_doubtful)


def _likeliest(readings: Sequence[LayoutReading], tree: Tree) -> LayoutReading:
    """The first reading, unless another one reads more than twice as many images."""
    counts = [_count_images(reading, tree) for reading in readings]
    return next(reading for reading, count in zip(readings, counts, strict=True) if 2 * count >= max(counts))


def _count_images(reading: LayoutReading, tree: Tree) -> int:
    """The number of images that a reading may read; all, if its annotations alone say where they are."""
    images = str(reading.settings.get("images", "."))
    return sum(len(names) for folder, names in tree.pictures.items() if covers(images, folder))


def _by_names_of_folders(tree: Tree, configured: Mapping[str, Any]) -> Layout:
    """The layout where the names of two folders say what they hold, although their files do not pair.

    The reader then tells which names it compared, and what would pair them.
    """
    roles = Roles(tree)
    masks = [folder for folder in tree.pictures if roles.role_of(folder) == "mask"]
    images = [folder for folder in tree.pictures if roles.role_of(folder) == "image"]
    if len(masks) != 1 or len(images) != 1 or "format" in configured:
        raise _unknown(tree, configured)
    settings = {"data.images": images[0], "data.masks": masks[0]}
    return Layout(tree, settings, "the names of the folders say what they hold", configured=frozenset(configured))


def _agrees(reading: LayoutReading, configured: Mapping[str, Any]) -> bool:
    """Whether a reading has the format that the user sets, and the kind of ground truth."""
    has_masks = reading.format in ("folders", "voc")
    ruled_out = ("annotations" in configured and has_masks) or ("masks" in configured and not has_masks)
    return configured.get("format") in (None, reading.format) and not ruled_out


def _names_places(configured: Mapping[str, Any]) -> bool:
    return "format" in configured and bool({"annotations", *_PLACES} & set(configured))


def _told_layout(tree: Tree, configured: Mapping[str, Any], matching: Sequence[LayoutReading]) -> Layout:
    """The layout that the user describes; ``{split}`` and the names of the masks are still read from the files."""
    settings: dict[str, Any] = {}
    for reading in matching[:1]:
        if all(reading.settings.get(key) == configured.get(key) for key in _PLACES):
            settings = {f"data.{key}": reading.settings[key] for key in _DERIVED if key in reading.settings}
    return Layout(tree, settings, "the settings say what is read", is_told=True, configured=frozenset(configured))


def _completed(tree: Tree, configured: Mapping[str, Any]) -> Layout:
    """The layout with the one folder that the user names, although few of its files pair with the other one's."""
    reading = paired(tree, None, None)
    settings = reading.settings if reading is not None else {}
    other = {f"data.{key}": settings[key] for key in (*_PLACES, "split") if key in settings and key not in configured}
    return Layout(tree, other, "the settings name one of the folders", configured=frozenset(configured))


def _competes(chosen: LayoutReading, other: LayoutReading) -> bool:
    """Whether another reading of the ground truth may be meant; of mask files, all readings are of the same files."""
    same_files = chosen.format in _MASK_FILES and other.format in _MASK_FILES
    return not other.is_doubtful and not same_files


def _spare(chosen: LayoutReading, readings: Sequence[LayoutReading]) -> dict[str, str]:
    """What the chosen reading leaves out, and the ground truth of the others."""
    spare = dict(chosen.spare)
    for other in readings:
        if other is not chosen and _competes(chosen, other):
            spare |= dict.fromkeys(other.claims, f"read with data.format: {other.format}")
        elif other is not chosen and other.format == "yolo":
            spare |= dict.fromkeys(other.claims, "YOLO's boxes, which are for detection")
    return spare


def _which_format(chosen: LayoutReading, rivals: Sequence[LayoutReading]) -> Question:
    formats = abbreviate([rival.format for rival in rivals])
    return Question(
        f"which format is meant: {chosen.format} or {formats}?",
        "; ".join(reading.why for reading in (chosen, *rivals)),
        {"data.format": chosen.format}, otherwise=f"set data.format: {formats}",
    )  # fmt: skip


def _answers(configured: Mapping[str, Any], question: Question) -> bool:
    """Whether the user sets one of the settings that a question is about."""
    return any(key.removeprefix("data.") in configured for key in question.guess)


def _unknown(tree: Tree, configured: Mapping[str, Any]) -> DataError:
    what = (
        f"no data in the format {configured['format']}"
        if "format" in configured
        else "no layout of a data set is recognised"
    )
    counts = [f"{printable(folder or '.')} ({len(names)})" for folder, names in tree.pictures.items()]
    own = f"; {len(tree.own_pictures)} more are kseg's own" if tree.own_pictures else ""
    folders = [folder or "." for folder in tree.pictures]
    images, masks = folders[:2] if len(folders) > 1 else ("photos", "labels")
    options = shell_command("--set", f"data.images={as_yaml(images)}", "--set", f"data.masks={as_yaml(masks)}")
    remedy = f"set both data.images and data.masks, e.g. {options}"
    return DataError(
        what, where=printable(tree.root),
        expected="images and masks whose file names correspond, COCO, LabelMe or YOLO annotations, VOC, or a manifest "
        "(CSV with the columns image and mask)",
        found=f"folders with images: {abbreviate(counts, 8)}{own}" if counts else f"no images{own}",
        remedy=remedy if counts or own else None,
    )  # fmt: skip
