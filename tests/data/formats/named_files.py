"""Data sets of empty files, for tests of names: finding samples opens none."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from kseg.data.find import find_samples
from kseg.data.sample import SPLITS, Sample
from kseg.data.spec import DataSpec, Fractions
from kseg.errors import KsegError


def touch(root: Path, names: Iterable[str]) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def samples(root: Path, **settings: Any) -> list[Sample]:
    splits = find_samples(DataSpec(root, **{"split": Fractions(1.0, 0.0, 0.0), **settings})).splits
    return [sample for name in SPLITS for sample in splits.get(name, ())]


def pairs(root: Path, **settings: Any) -> dict[str, str]:
    """Image → mask, below the root."""
    return {
        os.path.relpath(sample.image, root): os.path.relpath(str(sample.mask), root)
        for sample in samples(root, **settings)
    }


def remedies(error: KsegError) -> dict[str, str]:
    """The settings ``data.KEY: VALUE`` that an error's remedy names, read as YAML."""
    values = re.findall(r"data\.(\w+): ('(?:[^']|'')*'|[^\s,]+)", error.remedy or "")
    return {key: yaml.safe_load(value) for key, value in values}
