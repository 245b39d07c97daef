"""Split samples by fractions, in the order of a hash of their names: independent of machine and file order.

Optionally stratified by class, and with groups of samples that stay in one split.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence

import numpy as np

from kseg.data.sample import SPLITS, Sample, Splits
from kseg.data.spec import Fractions
from kseg.data.splits.stratify import assign, class_presence, find_copies, match_groups, merge
from kseg.errors import DataError
from kseg.images import printable
from kseg.labels import LabelMap

__all__ = ["cut"]


def cut(samples: Sequence[Sample], fractions: Fractions, labels: LabelMap | None = None) -> Splits:
    """Split samples by fractions. Each split with a fraction above 0 gets a sample, if there are enough.

    Images are only read for ``copies``, and masks only for ``stratify``.

    Args:
        samples: All samples, in any order.
        fractions: The settings of the split.
        labels: The label map of the masks. Without it, ``stratify`` has no effect.

    Raises:
        ConfigError: The expression of ``group`` matches no sample.
        DataError: There is only one sample, or one group, for several splits.
    """
    shares = fractions.shares
    if len(samples) == 1 and sum(share > 0 for share in shares) > 1:
        raise DataError(
            "there is only one image", where=printable(samples[0].image),
            expected="at least two, to train on one and validate on the other", remedy="add images",
        )  # fmt: skip
    ordered = sorted(samples, key=lambda sample: _rank(fractions.seed, sample.key))
    by_class = labels if fractions.stratify else None
    if by_class or fractions.group is not None or fractions.copies:
        return _cut_groups(ordered, fractions, shares, by_class)
    train, val, _ = counts(len(samples), shares)
    return {
        "train": tuple(ordered[:train]),
        "val": tuple(ordered[train : train + val]),
        "test": tuple(ordered[train + val :]),
    }


def _cut_groups(
    ordered: Sequence[Sample], fractions: Fractions, shares: Sequence[float], labels: LabelMap | None
) -> Splits:
    overlapping: list[list[int]] = []
    if fractions.group is not None:
        overlapping += match_groups(ordered, fractions.group)
    if fractions.copies:
        overlapping += find_copies(ordered)
    groups = merge(len(ordered), overlapping)
    if len(groups) == 1 and sum(share > 0 for share in shares) > 1:
        raise DataError(
            f"all {len(ordered)} pictures are in one group", where="data.split", found=printable(ordered[0].key),
            expected="at least two groups, to train on one and validate on the other",
            remedy="correct data.split.group" if fractions.group is not None else "add other images",
        )  # fmt: skip
    presence = class_presence(ordered, labels) if labels else np.zeros((len(ordered), 0), bool)
    classes = np.array([presence[group].sum(axis=0) for group in groups], np.int64).reshape(len(groups), -1)
    split_indices = assign([len(group) for group in groups], counts(len(ordered), shares), classes)
    split_of = {index: split_index for group, split_index in zip(groups, split_indices, strict=True) for index in group}
    return {
        name: tuple(sample for index, sample in enumerate(ordered) if split_of[index] == split_index)
        for split_index, name in enumerate(SPLITS)
    }


def _rank(seed: int, key: str) -> str:
    """The sort key of a sample: pseudo-random, by seed and name."""
    return hashlib.sha256(os.fsencode(f"{seed}:{key}")).hexdigest()


def counts(total: int, shares: Sequence[float]) -> list[int]:
    """Sizes of the splits: they add up to ``total``, near ``total * share``, at least 1 if the share is above 0."""
    used = [i for i, share in enumerate(shares) if share > 0]
    result = [0] * len(shares)
    for i in used[:total]:
        result[i] = 1
    for _ in range(total - sum(result)):
        neediest = max(used, key=lambda i: total * shares[i] - result[i])
        result[neediest] += 1
    return result
