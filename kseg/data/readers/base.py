"""What every reader takes and returns::

    Source ──▶ reader(source, part) ──▶ Listing

A reader finds samples and opens no picture but for its header. What is wrong with an annotation file ends in one
DataError that names the file and the place in it, or, where a part can be left out without harm, in one warning with a
count.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, TypeAlias

from kseg.data.samples import Sample, SplitName
from kseg.errors import ConfigError

__all__ = ["SPLIT", "Crowds", "Listing", "Reader", "Source", "Unpaired", "in_split"]

Unpaired = Literal["error", "skip"]
Crowds = Literal["ignore", "draw"]

SPLIT: Final = "{split}"
"""In a path: stands for the part of the data set."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where a data set lies; paths are relative to ``root``. The fields are those of the configuration's ``data``.

    Args:
        root: The folder of the data set, absolute.
        images: Folder or glob of the pictures.
        masks: Folder or glob of the masks, for formats that have such.
        annotations: The file or folder of the annotations, for formats that have such. None: where the format's
            publishers put them.
        mask_suffix: What a mask's stem has after the picture's.
        classes: The class names that the user asks for, in order; None takes all that the format names.
        values: The user's own mapping of mask values to classes, if any.
        unpaired: What to do with a picture without a mask, or a mask without a picture.
        crowds: Whether regions of many objects without outlines are ignored or drawn.
    """

    root: Path
    images: str = "images"
    masks: str = "masks"
    annotations: str | None = None
    mask_suffix: str = ""
    classes: tuple[str, ...] | None = None
    values: Mapping[int | str, str] | None = None
    unpaired: Unpaired = "error"
    crowds: Crowds = "ignore"


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


Reader: TypeAlias = Callable[[Source, "str | None"], Listing]
"""Called with the part of the data set to read: the sub-folder, or the list file, of one split; None reads all."""


def in_split(spec: str, part: str | None) -> str:
    """A path of the configuration for one part: ``{split}`` replaced, else the part as a sub-folder.

    Raises:
        ConfigError: It says ``{split}``, and there are no parts.
    """
    if part is None:
        if SPLIT in spec:
            raise ConfigError(
                "{split} stands for the folder of a split, but data.split is not by folders", where=f"data: {spec}",
                remedy="set data.split: {by: folders, train: …, val: …, test: …}, or name one folder",
            )  # fmt: skip
        return spec
    return spec.replace(SPLIT, part) if SPLIT in spec else f"{spec}/{part}"
