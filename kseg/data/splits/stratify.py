"""Form groups of samples that stay together, and assign them so that each split has its share of every class."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from kseg.data.inspection.similar import Fingerprint, fingerprint, groups
from kseg.data.sample import Sample
from kseg.data.truth import read_picture, read_truth
from kseg.errors import ConfigError, DataError, abbreviate
from kseg.images import printable
from kseg.labels import LabelMap
from kseg.parallel import parallel_map

__all__ = ["assign", "class_presence", "find_copies", "match_groups", "merge"]

Presence = npt.NDArray[np.bool_]
Counts = npt.NDArray[np.int64]

Places = npt.NDArray[np.intp]

_log = logging.getLogger("kseg")

_ROUNDING: Final = 9
"""Decimals to which desired counts are compared, so that rounding errors do not break ties."""

_TRIES: Final = 300
"""Number of group assignments to try for a better fit, over all orders: a few hundredths of a second."""


def assign(sizes: Sequence[int], targets: Sequence[int], classes: Counts) -> list[int]:
    """Assign whole groups to splits by iterative stratification.

    (Sechidis, Tsoumakas & Vlahavas 2011, On the Stratification of Multi-Label Data, algorithm 1.) The class with the
    fewest unassigned groups goes first. Each of its groups goes to the split that still needs the most samples of the
    class or, in a tie, the most samples. Unlike in the paper, a full split gets no more groups, and every split with a
    target above 0 gets a group if there are enough. If groups have several samples, the best of several random orders
    is used.

    Args:
        sizes: Number of samples of each group, in a random order.
        targets: Target number of samples of each split; their sum is that of ``sizes``.
        classes: Number of samples with each class in each group, int64 ``[G, K]``.

    Returns:
        The index of each group's split. If all groups have one sample, the targets are met exactly; else a split
        exceeds its target by at most one group.
    """
    group_sizes, target_counts = np.array(sizes), np.array(targets, np.float64)
    # The samples themselves count as one more class, which all have.
    table = np.column_stack([group_sizes, classes])
    desired = np.outer(target_counts / target_counts.sum(), table.sum(axis=0))

    def misfit(placement: Places) -> float:
        """Sum over splits and classes of the deviation from the desired count, relative to the class's count."""
        deviation = np.abs(np.eye(len(targets))[placement].T @ table - desired)
        return float((deviation / np.maximum(table.sum(axis=0), 1)).sum())

    best = _assign(group_sizes, target_counts, classes)
    for number in range(_TRIES // len(sizes) if group_sizes.max() > 1 else 0):
        order = np.random.default_rng(number).permutation(len(sizes))
        placement = np.empty_like(best)
        placement[order] = _assign(group_sizes[order], target_counts, classes[order])
        best = min(best, placement, key=misfit)
    return [int(split) for split in best]


def _assign(sizes: Counts, targets: npt.NDArray[np.float64], classes: Counts) -> Places:
    """One run of the algorithm, for groups in this order: the split of each group, int ``[G]``."""
    room = targets.copy()
    desired = np.outer(room / max(room.sum(), 1), classes.sum(axis=0))
    result = np.full(len(sizes), -1)
    while (unassigned := np.flatnonzero(result < 0)).size:
        groups_with_class = (classes[unassigned] > 0).sum(axis=0)
        if groups_with_class.any():
            rarest = int(np.argmin(np.where(groups_with_class > 0, groups_with_class, len(sizes) + 1)))
            members, desired_of_class = unassigned[classes[unassigned, rarest] > 0], desired[:, rarest]
        else:
            members, desired_of_class = unassigned, room
        for group in members:
            empty = [i for i, count in enumerate(targets) if count > 0 and not (result == i).any()]
            split = _choose(room, desired_of_class, empty, int((result < 0).sum()))
            result[group] = split
            room[split] -= sizes[group]
            desired[split] -= classes[group]
    return result


def _choose(
    room: npt.NDArray[np.float64], desired: npt.NDArray[np.float64], empty: Sequence[int], num_unassigned: int
) -> int:
    """The neediest of the splits with room, or of the ``empty`` ones if the groups are running out."""
    available = empty if num_unassigned <= len(empty) else np.flatnonzero(room > 0)
    return max((int(i) for i in available), key=lambda i: (round(float(desired[i]), _ROUNDING), room[i], -i))


def match_groups(samples: Sequence[Sample], expression: str) -> list[list[int]]:
    """Group samples by a regular expression: by its first group in their keys, or by the match if it has no group.

    Samples that it does not match are not grouped, with a warning.

    Raises:
        ConfigError: It matches no sample.
    """
    pattern = re.compile(expression)
    groups: dict[str, list[int]] = {}
    unmatched = []
    for index, sample in enumerate(samples):
        match = pattern.search(sample.key)
        if match is None:
            unmatched.append(printable(sample.key))
        else:
            first_group = match.group(1) if pattern.groups else None
            groups.setdefault(match.group() if first_group is None else first_group, []).append(index)
    if not groups:
        raise ConfigError(
            "the expression matches no picture", where="data.split.group", found=f"{expression!r}",
            expected=f"one that matches paths below the image folder without suffix, as {abbreviate(unmatched, 3)}",
        )  # fmt: skip
    if unmatched:
        _log.warning("data.split.group matches %d of %d pictures; %s are not grouped", len(samples) - len(unmatched),
                     len(samples), abbreviate(unmatched))  # fmt: skip
    return list(groups.values())


def find_copies(samples: Sequence[Sample]) -> list[list[int]]:
    """Group samples whose images look the same. Images that cannot be read are in no group."""
    prints = parallel_map(_fingerprint, samples)
    readable = [index for index, print_ in enumerate(prints) if print_ is not None]
    copies = groups([print_ for print_ in prints if print_ is not None])
    if copies:
        _log.info("%d pictures have copies: copies go to the same split", sum(map(len, copies)))
    return [[readable[i] for i in members] for members in copies]


def _fingerprint(sample: Sample) -> Fingerprint | None:
    try:
        return fingerprint(read_picture(sample))
    except DataError:
        return None  # reported by the check of the data


def class_presence(samples: Sequence[Sample], labels: LabelMap) -> Presence:
    """Which classes occur in each sample's mask: bool ``[N, K]``; none if it cannot be read."""

    def classes_of(sample: Sample) -> Presence:
        try:
            ids = read_truth(sample, labels)
        except DataError:
            return np.zeros(labels.num_classes, bool)
        presence: Presence = np.bincount(ids.ravel(), minlength=256)[: labels.num_classes] > 0
        return presence

    return np.array(parallel_map(classes_of, samples), bool).reshape(len(samples), labels.num_classes)


def merge(count: int, groups: Iterable[Sequence[int]]) -> list[list[int]]:
    """Merge groups of the indices 0 … count-1 that have a member in common; other indices are groups of one.

    Returns:
        The groups, each ascending; every index is in exactly one.
    """
    owner = list(range(count))
    members = {index: [index] for index in owner}
    for group in groups:
        for index in group[1:]:
            first, other = sorted((owner[group[0]], owner[index]))
            if first != other:
                moved = members.pop(other)
                members[first] += moved
                for member in moved:
                    owner[member] = first
    return [sorted(group) for group in members.values()]
