"""The interface of the readers::

    DataSpec ──▶ reader(spec, part) ──▶ Listing

A reader finds samples; of images it reads the headers only. An invalid annotation file is a DataError that names the
file and the place in it. Parts that can be left out without harm are counted and reported in one warning.
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
"""In a path of the configuration: replaced by the part of the data set that is read."""


@dataclass(frozen=True)
class Listing:
    """What a reader returns.

    Args:
        samples: The samples, in a stable order, with unique keys.
        values: On-disk mask value → class name or ``ignore``, background first, if the format defines them; it includes
            the user's ``data.values``. Else empty.
        splits: Sample key → split, if the format defines it; else empty.
    """

    samples: tuple[Sample, ...]
    values: Mapping[int | str, str] = field(default_factory=dict)
    splits: Mapping[str, SplitName] = field(default_factory=dict)


Reader: TypeAlias = Callable[[DataSpec, "str | None"], Listing]
"""Called with a DataSpec and the part to read: the sub-folder or list file of one split; None reads everything."""


def in_split(relative: str, part: str | None) -> str:
    """A path of the configuration for one part: ``{split}`` is replaced by it, else it is appended as a sub-folder.

    Raises:
        ConfigError: The path has ``{split}``, but ``part`` is None.
    """
    if part is None:
        if SPLIT in relative:
            raise ConfigError(
                "{split} stands for the folder of a split, but data.split is not by folders", where=f"data: {relative}",
                remedy="set data.split: {by: folders, train: …, val: …, test: …}, or name one folder",
            )  # fmt: skip
        return relative
    return relative.replace(SPLIT, part) if SPLIT in relative else f"{relative}/{part}"
