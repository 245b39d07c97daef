"""Small data sets on disk."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from kseg.images import write_png


def make_pairs(
    root: Path,
    names: list[str],
    *,
    values: tuple[int, ...] = (0, 1),
    size: tuple[int, int] = (12, 16),
    suffix: str = "",
) -> Path:
    """``images/NAME.png`` and ``masks/NAME<suffix>.png``; each mask has all values, each picture is another."""
    for number, name in enumerate(names):
        rng = np.random.default_rng(number)
        mask = np.resize(np.array(values, np.uint8), size)
        write(root / "images" / f"{name}.png", rng.integers(0, 256, (*size, 3), np.uint8))
        write(root / "masks" / f"{name}{suffix}.png", mask)
    return root


def write(path: Path, array: np.ndarray) -> Path:
    """A PNG, with the folders that lead to it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_png(path, array)
    return path


def keys(splits: Mapping[str, tuple[object, ...]]) -> dict[str, list[str]]:
    """The keys of each split, sorted."""
    return {name: sorted(sample.key for sample in samples) for name, samples in splits.items()}  # type: ignore[attr-defined]
