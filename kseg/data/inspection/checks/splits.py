"""Findings about the split: parts that a training needs and that are empty."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from kseg.data.inspection.checks.context import Context
from kseg.data.inspection.findings import Finding

__all__ = ["empty_splits"]

_NEEDED: Final = ("train", "val")


def empty_splits(context: Context) -> Iterator[Finding]:
    """No training or no validation images: an error. No test images: a note."""
    counts = {name: len(context.survey.get(name, ())) for name in ("train", "val", "test")}
    images = ", ".join(f"{name} {count}" for name, count in counts.items())
    for name in _NEEDED:
        if not counts[name]:
            yield Finding(
                code="empty-split", severity="error", what=f"the split {name} has no images",
                why="a training needs images to train on, and others that select the best weights",
                count=context.total, total=context.total, found=f"images: {images}",
                advice="add images, or set data.split: {by: fractions, train: 0.8, val: 0.1, test: 0.1}"
                if not context.by_fractions else "add images, or give data.split fractions above 0",
            )  # fmt: skip
    if not counts["test"] and all(counts[name] for name in _NEEDED):
        yield Finding(
            code="no-test", severity="note", what="there are no test images",
            why="kseg evaluate and kseg export score on the validation images, which selected the weights",
            count=0, total=context.total, advice="keep some images for data.split.test",
        )  # fmt: skip
