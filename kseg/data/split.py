"""Which samples train, validate and test.

::

    Fractions   cut by a hash of each sample's name: the same on every machine, however the files are listed;
                on request with its share of each class in each split, and with what belongs together in one
    Folders     sub-folders of the images and of the masks
    Lists       text files that name one sample a line
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np

from kseg.data.samples import SPLITS, Sample, SplitName
from kseg.data.stratify import assign, class_presence, find_copies, match_groups, merge
from kseg.errors import ConfigError, DataError, some
from kseg.images import printable
from kseg.labels import LabelMap

__all__ = ["Folders", "Fractions", "Lists", "Split", "Splits", "cut", "make_split", "read_lists", "require_apart"]

Splits: TypeAlias = dict[SplitName, tuple[Sample, ...]]


@dataclass(frozen=True)
class Fractions:
    """The share of each split; together 1.

    Args:
        train, val, test: Shares in 0..1.
        seed: Another seed is another cut.
        stratify: Give each split its share of the samples of each class.
        group: A regular expression; samples for whose keys its first group, else the whole match, is the same stay
            together.
        copies: ``together`` keeps pictures that look the same in one split.
    """

    train: float = 0.8
    val: float = 0.1
    test: float = 0.1
    seed: int = 0
    stratify: bool = False
    group: str | None = None
    copies: Literal["together"] | None = None


@dataclass(frozen=True)
class Folders:
    """The sub-folder of each split, below the image folder and the mask folder, or where these say ``{split}``.

    An empty name leaves the split empty.
    """

    train: str
    val: str
    test: str


@dataclass(frozen=True)
class Lists:
    """A text file a split, relative to the root, with one sample a line: its key, its file name, or its path.

    Blank lines and lines that begin with ``#`` do not count, nor do further columns. An empty name leaves the split
    empty.
    """

    train: str
    val: str
    test: str


Split: TypeAlias = Fractions | Folders | Lists


def cut(samples: Sequence[Sample], fractions: Fractions, labels: LabelMap | None = None) -> Splits:
    """Cut by fractions. Each split with a share gets a sample, as long as there are enough.

    Pictures are read for ``copies`` alone, and masks for ``stratify`` alone.

    Args:
        samples: All, in any order.
        fractions: How.
        labels: What their masks mean; without it, ``stratify`` is left for later.

    Raises:
        ConfigError: The shares are not shares of one whole, or the expression matches nothing.
        DataError: A single sample, or group of them, would have to serve several splits.
    """
    shares = (fractions.train, fractions.val, fractions.test)
    if min(shares) < 0 or not math.isclose(sum(shares), 1.0, abs_tol=1e-6):
        raise ConfigError(
            "the fractions are not shares of one whole", where="data.split",
            expected="train, val and test ≥ 0 with a sum of 1", found=" + ".join(f"{share:g}" for share in shares),
        )  # fmt: skip
    if len(samples) == 1 and sum(share > 0 for share in shares) > 1:
        raise DataError(
            "there is one image in all", where=printable(samples[0].image),
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
    together: list[list[int]] = []
    if fractions.group is not None:
        together += match_groups(ordered, fractions.group)
    if fractions.copies:
        together += find_copies(ordered)
    groups = merge(len(ordered), together)
    if len(groups) == 1 and sum(share > 0 for share in shares) > 1:
        raise DataError(
            f"all {len(ordered)} pictures are in one group", where="data.split", found=printable(ordered[0].key),
            expected="at least two groups, to train on one and validate on the other",
            remedy="correct data.split.group" if fractions.group is not None else "add other images",
        )  # fmt: skip
    presence = class_presence(ordered, labels) if labels else np.zeros((len(ordered), 0), bool)
    classes = np.array([presence[group].sum(axis=0) for group in groups], np.int64).reshape(len(groups), -1)
    places = assign([len(group) for group in groups], counts(len(ordered), shares), classes)
    split_of = {index: place for group, place in zip(groups, places, strict=True) for index in group}
    return {
        name: tuple(sample for index, sample in enumerate(ordered) if split_of[index] == place)
        for place, name in enumerate(SPLITS)
    }


def _rank(seed: int, key: str) -> str:
    return hashlib.sha256(os.fsencode(f"{seed}:{key}")).hexdigest()


def counts(total: int, shares: Sequence[float]) -> list[int]:
    """Whole numbers that add up to ``total``, near ``total * share``, at least 1 where a share is not 0."""
    wanted = [i for i, share in enumerate(shares) if share > 0]
    result = [0] * len(shares)
    for i in wanted[:total]:
        result[i] = 1
    for _ in range(total - sum(result)):
        neediest = max(wanted, key=lambda i: total * shares[i] - result[i])
        result[neediest] += 1
    return result


def read_lists(samples: Sequence[Sample], lists: Lists, root: Path) -> Splits:
    """The splits that the text files name.

    Raises:
        ConfigError: A list is missing.
        DataError: A list names a sample that there is not, or one that another list has.
    """
    aliases = _aliases(samples, root)
    splits: Splits = {}
    for name in SPLITS:
        listed: str = getattr(lists, name)
        splits[name] = _read_list(root / listed, aliases, where=f"data.split.{name}") if listed else ()
    require_apart(splits)
    return splits


def _aliases(samples: Sequence[Sample], root: Path) -> Mapping[str, Sample]:
    """Every way in which a list may name a sample; the more exact ways win."""
    aliases: dict[str, Sample] = {}
    stems: dict[str, list[Sample]] = {}
    for sample in samples:
        for name in (sample.image.stem, sample.image.name):
            stems.setdefault(name, []).append(sample)
        relative = os.path.relpath(sample.image, root)
        aliases |= {str(sample.image): sample, relative: sample, sample.key + sample.image.suffix: sample}
    aliases |= {sample.key: sample for sample in samples}
    return {stem: found[0] for stem, found in stems.items() if len(found) == 1} | aliases


def _read_list(path: Path, aliases: Mapping[str, Sample], *, where: str) -> tuple[Sample, ...]:
    try:
        lines = path.read_text("utf-8-sig", errors="surrogateescape").splitlines()
    except OSError as error:
        raise ConfigError(
            "the list cannot be read", where=where, expected="a text file", found=f"{printable(path)}: {error.strerror}"
        ) from error
    entries = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    # The whole line first: a file name may hold blanks.
    found = {entry: aliases.get(entry) or aliases.get(entry.split()[0]) for entry in entries}
    unknown = [printable(entry) for entry, sample in found.items() if sample is None]
    if unknown:
        raise DataError(
            f"{len(unknown)} of {len(entries)} lines name no sample", where=printable(path), found=some(unknown),
            expected=f"names like {some((printable(key) for key in aliases), 1).split(' and ')[0]}",
        )  # fmt: skip
    return tuple(dict.fromkeys(sample for sample in found.values() if sample is not None))


def require_apart(splits: Splits) -> None:
    """See that no sample is in two splits. Raises DataError."""
    seen: dict[Sample, SplitName] = {}
    for name, samples in splits.items():
        shared = [sample for sample in samples if sample in seen]
        if shared:
            raise DataError(
                f"{len(shared)} samples are in the lists {seen[shared[0]]} and {name} both", where="data.split",
                found=some(printable(sample.key) for sample in shared), remedy="keep each in one list",
            )  # fmt: skip
        seen |= dict.fromkeys(samples, name)


_KINDS: dict[str, type[Fractions] | type[Folders] | type[Lists]] = {
    "fractions": Fractions,
    "folders": Folders,
    "lists": Lists,
}


def make_split(settings: Mapping[str, Any]) -> Split:
    """A split from its plain settings: ``by`` says which kind, the other keys are its arguments."""
    arguments = dict(settings)
    return _KINDS[arguments.pop("by")](**arguments)
