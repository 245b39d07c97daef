"""Split groups of samples so that each split has its share of every class: what stays together, and where it goes."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from kseg.data.inspection.similar import Fingerprint, fingerprint, groups
from kseg.data.sample import Sample
from kseg.data.truth import read_truth
from kseg.errors import ConfigError, DataError, abbreviate
from kseg.images import printable, read_image
from kseg.labels import LabelMap
from kseg.parallel import parallel_map

__all__ = ["assign", "class_presence", "find_copies", "match_groups", "merge"]

Presence = npt.NDArray[np.bool_]
Counts = npt.NDArray[np.int64]

Places = npt.NDArray[np.intp]

_log = logging.getLogger("kseg")

_ROUNDING: Final = 9
"""Decimals of a wish that count: subtractions must not decide between splits that wish for the same."""

_TRIES: Final = 300
"""Groups placed in search of a better fit: a few hundredths of a second."""


def assign(sizes: Sequence[int], wanted: Sequence[int], classes: Counts) -> list[int]:
    """Give whole groups to splits: iterative stratification.

    (Sechidis, Tsoumakas & Vlahavas 2011, On the Stratification of Multi-Label Data, algorithm 1.) The class that the
    fewest groups are left with goes first, and each of its groups to the split that still wants the most of the class,
    else the most samples. Unlike in the paper, a split that is full takes no more, and every split that wants samples
    gets a group as long as there are enough. Of few groups, the best of several orders is taken.

    Args:
        sizes: Samples of each group, in a random order.
        wanted: Samples of each split; together as many as the groups have.
        classes: How many samples of each group have each class, int64 ``[G, K]``.

    Returns:
        The split of each group. Without groups of several samples, each split gets exactly what it wants; else at most
        one group more than it wants.
    """
    sizes_, wanted_ = np.array(sizes), np.array(wanted, np.float64)
    # The samples themselves are one more class, which all have.
    table = np.column_stack([sizes_, classes])
    wish = np.outer(wanted_ / wanted_.sum(), table.sum(axis=0))

    def misfit(places: Places) -> float:
        """How far the splits are off, each class as a share of its samples."""
        off = np.abs(np.eye(len(wanted))[places].T @ table - wish)
        return float((off / np.maximum(table.sum(axis=0), 1)).sum())

    best = _assign(sizes_, wanted_, classes)
    for number in range(_TRIES // len(sizes) if sizes_.max() > 1 else 0):
        order = np.random.default_rng(number).permutation(len(sizes))
        places = np.empty_like(best)
        places[order] = _assign(sizes_[order], wanted_, classes[order])
        best = min(best, places, key=misfit)
    return [int(place) for place in best]


def _assign(sizes: Counts, wanted: npt.NDArray[np.float64], classes: Counts) -> Places:
    room = wanted.copy()
    wish = np.outer(room / max(room.sum(), 1), classes.sum(axis=0))
    result = np.full(len(sizes), -1)
    while (left := np.flatnonzero(result < 0)).size:
        having = (classes[left] > 0).sum(axis=0)
        if having.any():
            rarest = int(np.argmin(np.where(having > 0, having, len(sizes) + 1)))
            members, wishes = left[classes[left, rarest] > 0], wish[:, rarest]
        else:
            members, wishes = left, room
        for group in members:
            empty = [i for i, count in enumerate(wanted) if count > 0 and not (result == i).any()]
            split = _choose(room, wishes, empty, int((result < 0).sum()))
            result[group] = split
            room[split] -= sizes[group]
            wish[split] -= classes[group]
    return result


def _choose(room: npt.NDArray[np.float64], wish: npt.NDArray[np.float64], empty: Sequence[int], left: int) -> int:
    open_ = empty if left <= len(empty) else np.flatnonzero(room > 0)
    return max((int(i) for i in open_), key=lambda i: (round(float(wish[i]), _ROUNDING), room[i], -i))


def match_groups(samples: Sequence[Sample], expression: str) -> list[list[int]]:
    """Which samples an expression keeps together: those whose keys give the same first group, else the same match.

    Samples that it does not match stand alone, with a warning.

    Raises:
        ConfigError: It matches none.
    """
    pattern = re.compile(expression)
    found: dict[str, list[int]] = {}
    alone = []
    for index, sample in enumerate(samples):
        match = pattern.search(sample.key)
        if match is None:
            alone.append(printable(sample.key))
        else:
            told = match.group(1) if pattern.groups else None
            found.setdefault(match.group() if told is None else told, []).append(index)
    if not found:
        raise ConfigError(
            "the expression matches no picture", where="data.split.group", found=f"{expression!r}",
            expected=f"one that matches paths below the image folder without suffix, as {abbreviate(alone, 3)}",
        )  # fmt: skip
    if alone:
        _log.warning("data.split.group matches %d of %d pictures; %s stand alone", len(samples) - len(alone),
                     len(samples), abbreviate(alone))  # fmt: skip
    return list(found.values())


def find_copies(samples: Sequence[Sample]) -> list[list[int]]:
    """Which samples' pictures look the same; those that cannot be read look like none."""
    prints = parallel_map(_fingerprint, samples)
    readable = [index for index, one in enumerate(prints) if one is not None]
    found = groups([one for one in prints if one is not None])
    if found:
        _log.info("%d pictures have copies: they stay in one split each", sum(map(len, found)))
    return [[readable[i] for i in members] for members in found]


def _fingerprint(sample: Sample) -> Fingerprint | None:
    try:
        return fingerprint(read_image(sample.image))
    except DataError:
        return None  # the check of the data tells it, with all others


def class_presence(samples: Sequence[Sample], labels: LabelMap) -> Presence:
    """Which classes each sample has, bool ``[N, K]``; none where its mask cannot be read."""

    def look(sample: Sample) -> Presence:
        try:
            ids = read_truth(sample, labels)
        except DataError:
            return np.zeros(labels.num_classes, bool)
        found: Presence = np.bincount(ids.ravel(), minlength=256)[: labels.num_classes] > 0
        return found

    return np.array(parallel_map(look, samples), bool).reshape(len(samples), labels.num_classes)


def merge(count: int, groups: Iterable[Sequence[int]]) -> list[list[int]]:
    """Join groups of 0 … count-1 that have a member in common; who is in none is one alone. All are ascending."""
    owner = list(range(count))
    members = {index: [index] for index in owner}
    for group in groups:
        for index in group[1:]:
            first, other = sorted((owner[group[0]], owner[index]))
            if first != other:
                moved = members.pop(other)
                members[first] += moved
                for one in moved:
                    owner[one] = first
    return [sorted(group) for group in members.values()]
