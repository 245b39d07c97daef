"""Read the layout of a data set from the names and contents of its files: format, images, masks, split, classes.

Every format is tried. Where several read the folder, or a decision within one is not certain, the layout has a
`Question`, and what it guesses is not applied unasked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from kseg.data.formats.annotated import coco, labelme, manifest, voc, yolo
from kseg.data.formats.layout_reading import LayoutReading
from kseg.data.formats.paired import paired
from kseg.data.formats.tree import Tree
from kseg.data.question import Question
from kseg.errors import DataError, abbreviate
from kseg.images import printable

__all__ = ["Layout", "read_layout"]

_ANNOTATED: Final = (coco, yolo, voc, labelme, manifest)
_OWN_MASKS: Final = ("voc", "manifest")
"""Formats whose masks are image files, so that these files alone do not suggest another format."""
_PLACES: Final = frozenset({"images", "masks"})


@dataclass(frozen=True)
class Layout:
    """How a folder is read.

    Args:
        tree: Its files.
        settings: Dotted key → value, of the settings that are certain.
        why: What in the folder says so.
        questions: The decisions that are guessed.
        spare: Path of a file or folder that the format does not use → what it is.
        is_told: Whether the user names the images and masks, so that no layout was looked for.
    """

    tree: Tree
    settings: Mapping[str, Any]
    why: str
    questions: tuple[Question, ...] = ()
    spare: Mapping[str, str] = field(default_factory=dict)
    is_told: bool = False

    @property
    def provisional(self) -> dict[str, Any]:
        """The settings with what is guessed: dotted key → value."""
        guesses = {key: value for question in self.questions for key, value in question.guess.items()}
        return {**self.settings, **guesses}

    def answered(self, settings: Mapping[str, Any]) -> Layout:
        """The layout without the questions that these settings answer (by dotted key)."""
        questions = tuple(question for question in self.questions if not set(question.guess) & set(settings))
        return replace(self, questions=questions, settings={**self.provisional})


def read_layout(root: Path, told: Mapping[str, Any] | None = None) -> Layout:
    """Read how the data set in a folder is laid out.

    Args:
        root: The folder.
        told: Keyword arguments of `DataSpec` that the user sets.

    Raises:
        DataError: There is no such folder, or no known layout in it.
    """
    told = told or {}
    if not root.is_dir():
        raise DataError("no such folder", where=printable(root), expected="a folder with images and masks")
    tree = Tree.of(root)
    if set(told) >= _PLACES:
        return Layout(tree, {}, "the settings name the images and masks", is_told=True)
    readings = [reading for reading in _readings(tree, told) if told.get("format") in (None, _format(reading))]
    if not readings:
        raise _unknown(tree, told)
    chosen, others = readings[0], [other for other in readings[1:] if _competes(readings[0], other)]
    questions = [_which_format(chosen, others)] if others else []
    questions += [question for question in chosen.questions if not _answered(question, told)]
    guessed = {key for question in questions for key in question.guess}
    settings = {f"data.{key}": value for key, value in chosen.settings.items()}
    certain = {key: value for key, value in settings.items() if key not in guessed}
    return Layout(tree, certain, chosen.why, tuple(questions), chosen.spare)


def _readings(tree: Tree, told: Mapping[str, Any]) -> list[LayoutReading]:
    """Every way to read the folder: annotations first, since they are made for it."""
    annotated = [reading for recognise in _ANNOTATED if (reading := recognise(tree)) is not None]
    folders = paired(tree, told.get("images"), told.get("masks"))
    return [*annotated, *([folders] if folders else [])]


def _format(reading: LayoutReading) -> str:
    return str(reading.settings.get("format", "folders"))


def _competes(chosen: LayoutReading, other: LayoutReading) -> bool:
    return not (_format(chosen) in _OWN_MASKS and _format(other) == "folders")


def _which_format(chosen: LayoutReading, others: list[LayoutReading]) -> Question:
    alternatives = [f"{_format(other)} ({other.why})" for other in others]
    return Question(
        f"which format is meant: {_format(chosen)} or {abbreviate(map(_format, others))}?",
        f"{chosen.why}; but also {abbreviate(alternatives)}",
        {"data.format": _format(chosen)},
        otherwise=f"set data.format: {_format(others[0])}",
    )


def _answered(question: Question, told: Mapping[str, Any]) -> bool:
    """Whether the user sets one of the settings that a question is about."""
    return any(key.removeprefix("data.") in told for key in question.guess)


def _unknown(tree: Tree, told: Mapping[str, Any]) -> DataError:
    pictures = {printable(folder or "."): len(names) for folder, names in tree.pictures.items()}
    counts = abbreviate((f"{folder} ({count})" for folder, count in pictures.items()), 8)
    hint = "set both data.images and data.masks, e.g. --set data.images=photos --set data.masks=labels"
    return DataError(
        "no layout of a data set is recognised" if "format" not in told else f"no data in the format {told['format']}",
        where=printable(tree.root),
        expected="images and masks whose file names correspond, COCO, LabelMe or YOLO annotations, VOC, or a manifest "
        "(CSV with the columns image and mask)",
        found=f"folders with images: {counts}" if pictures else "no images", remedy=hint if pictures else None,
    )  # fmt: skip
