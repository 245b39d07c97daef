"""What every reader takes and returns::

    DataSpec ──▶ reader(spec, part) ──▶ Listing

A reader finds samples and opens no picture but for its header. What is wrong with an annotation file ends in one
DataError that names the file and the place in it, or, where a part can be left out without harm, in one warning with a
count.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from kseg.data.sample import Sample, SplitName
from kseg.data.spec import DataSpec
from kseg.errors import ConfigError

__all__ = ["SPLIT", "Listing", "Reader", "in_split"]

SPLIT: Final = "{split}"
"""In a path: stands for the part of the data set."""


@dataclass(frozen=True)
class Listing:
    """What a reader found.

    Args:
        samples: In a stable order, with unique keys.
        values: On-disk mask value → class name or ``ignore``, background first, where the format tells, with the user's
            own ``data.values`` in it; else empty.
        splits: The split of each sample's key, where the format tells; else empty.
    """

    samples: tuple[Sample, ...]
    values: Mapping[int | str, str] = field(default_factory=dict)
    splits: Mapping[str, SplitName] = field(default_factory=dict)


Reader: TypeAlias = Callable[[DataSpec, "str | None"], Listing]
"""Called with the part of the data set to read: the sub-folder, or the list file, of one split; None reads all."""


def in_split(relative: str, part: str | None) -> str:
    """A path of the configuration for one part: ``{split}`` replaced, else the part as a sub-folder.

    Raises:
        ConfigError: It says ``{split}``, and there are no parts.
    """
    if part is None:
        if SPLIT in relative:
            raise ConfigError(
                "{split} stands for the folder of a split, but data.split is not by folders", where=f"data: {relative}",
                remedy="set data.split: {by: folders, train: …, val: …, test: …}, or name one folder",
            )  # fmt: skip
        return relative
    return relative.replace(SPLIT, part) if SPLIT in relative else f"{relative}/{part}"
