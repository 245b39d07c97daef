"""Data sets of tiny pictures in any layout, with the mask of each image known."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from kseg.data.find import find_samples
from kseg.data.formats.layout.read import Layout, read_layout
from kseg.data.inspection.account import Account, account_for, left_out
from kseg.data.inspection.findings import Finding
from kseg.data.inspection.fix import read_folder
from kseg.data.sample import Sample
from kseg.data.spec import DataSpec

__all__ = ["COCO", "Reading", "add", "add_text", "photo", "read", "settle", "square"]

SIZE = 12
COCO = json.dumps({"images": [], "annotations": [], "categories": []})


def photo(number: int = 0) -> np.ndarray:
    """Noise, uint8 ``[H, W, 3]``."""
    return np.random.default_rng(number).integers(0, 256, (SIZE, SIZE, 3), np.uint8)


def square(number: int = 0) -> np.ndarray:
    """A mask with the values 0 and 1, uint8 ``[H, W]``."""
    mask = np.zeros((SIZE, SIZE), np.uint8)
    mask[2 : 5 + number % 5, 3:9] = 1
    return mask


def add(root: Path, *patterns: str, names: Iterable[str] = "abcd", masks: bool | None = None) -> None:
    """Write a picture for each pattern, such as ``images/{}.png``, and each of ``names``.

    Args:
        root: The folder.
        patterns: Paths below it.
        names: What replaces ``{}``.
        masks: Whether all are masks. Defaults to what the patterns say: ``mask``, ``label``, ``gt``, ``instances``.
    """
    for pattern in patterns:
        named = any(word in pattern for word in ("mask", "label", "gt", "instances", "annot", "Class"))
        is_mask = named if masks is None else masks
        for number, name in enumerate(names):
            path = root / pattern.format(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(square(number) if is_mask else photo(number)).save(path)


def add_text(root: Path, **texts: str) -> None:
    """Write text files by their path below the root."""
    for name, text in texts.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


@dataclasses.dataclass(frozen=True)
class Reading:
    """How a folder is read, without a look at the contents of the masks."""

    layout: Layout
    spec: DataSpec
    samples: list[Sample]
    account: Account
    left: Finding | None

    @property
    def pairs(self) -> dict[str, str]:
        """Image → mask, as paths below the root."""
        return {
            sample.image.relative_to(self.spec.root).as_posix(): sample.mask.relative_to(self.spec.root).as_posix()
            for sample in self.samples if isinstance(sample.mask, Path)
        }  # fmt: skip

    @property
    def questions(self) -> list[str]:
        """The keys of the questions."""
        keys = [key for question in self.layout.questions for key in question.guess]
        return keys + (["data.unused"] if self.left is not None and self.left.severity == "question" else [])


def read(root: Path, **told: Any) -> Reading:
    """Read a folder with its guesses."""
    layout = read_layout(root, told)
    settings = {key.removeprefix("data."): value for key, value in layout.provisional.items()}
    spec = DataSpec(root, **{**settings, **told})
    samples = [sample for samples in find_samples(spec).splits.values() for sample in samples]
    account = account_for(layout, spec, samples)
    return Reading(layout, spec, samples, account, left_out(account, spec, is_told=layout.is_told))


def settle(root: Path, **told: Any) -> DataSpec:
    """The settings of a folder; raises DataError for the first question or error."""
    return read_folder(root, {"classes": ("background", "thing"), **told}).settings
