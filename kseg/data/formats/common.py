"""What the readers share: the choice of classes and mask values, image sizes, and the report of unpaired files."""

from __future__ import annotations

import logging
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kseg.data.objects import OBJECT_VOID
from kseg.data.spec import DataSpec, Unpaired
from kseg.errors import ConfigError, DataError, ImageError, abbreviate
from kseg.images import image_size, printable, stored_size
from kseg.labels import BACKGROUND, IGNORE, OTHER, canonical_name
from kseg.parallel import parallel_map
from kseg.registry import nearest
from kseg.sizes import Size

__all__ = ["SKIP_UNPAIRED", "Choice", "UnpairedError", "choose", "picture_sizes", "report_unpaired"]

_log = logging.getLogger("kseg")

SKIP_UNPAIRED = ", or set data.unpaired: skip"
"""The end of a remedy where files could be left out."""
_MANY = 24


@dataclass(frozen=True)
class Choice:
    """The objects to draw, and the meaning of the mask values.

    Args:
        values: Mask value → class name or ``ignore``, for all values: 0 (no object), those drawn, and void.
        drawn: The mask values of the objects to draw; other objects are left out.
    """

    values: Mapping[int | str, str]
    drawn: frozenset[int]


def choose(named: Mapping[int, str], spec: DataSpec, path: Path, *, voids: bool = False) -> Choice:
    """Select the classes that the user asks for among those of the annotation file.

    Args:
        named: Mask value (from 1) → class name in the annotation file.
        spec: ``classes`` selects by name, ``values`` by mask value; all classes if both are None.
        path: The file that names the classes, for messages.
        voids: Whether there may be pixels of unknown ground truth.

    Raises:
        ConfigError: The user names a class that is not in the file.
    """
    named = {value: canonical_name(name) for value, name in named.items()}
    void: dict[int | str, str] = {OBJECT_VOID: IGNORE} if voids else {}
    if spec.values:
        return _by_values(named, spec, path, void)
    names = spec.classes if spec.classes is not None else (BACKGROUND, *named.values())
    _require_known(names, named, path)
    value_zero = BACKGROUND if BACKGROUND in names else IGNORE
    chosen: dict[int | str, str] = {value: name for value, name in named.items() if name in names}
    return Choice({0: value_zero, **chosen, **void}, frozenset(int(value) for value in chosen))


def _by_values(named: Mapping[int, str], spec: DataSpec, path: Path, void: Mapping[int | str, str]) -> Choice:
    values = dict(spec.values or {})
    drawn = frozenset(named) if OTHER in values else frozenset(named) & {key for key in values if isinstance(key, int)}
    if not drawn:
        raise ConfigError(
            "data.values names none of the objects' values", where="data.values",
            expected=abbreviate((f"{value}: {name}" for value, name in named.items()), _MANY),
            found=abbreviate(values), remedy=f"see {printable(path)}",
        )  # fmt: skip
    if 0 not in values and OTHER not in values:
        values = {0: _name_of_zero(spec), **values}
    return Choice({**void, **values}, drawn)


def _name_of_zero(spec: DataSpec) -> str:
    """The class of the pixels without an object, where ``data.values`` does not say it."""
    if spec.classes is not None and BACKGROUND not in spec.classes:
        _log.info("pixels without an object are ignored, since data.classes has no background")
        return IGNORE
    _log.info("pixels without an object are the class background, since data.values has no 0")
    return BACKGROUND


def _require_known(names: Sequence[str], named: Mapping[int, str], path: Path) -> None:
    valid = set(named.values()) | {BACKGROUND}
    for name in names:
        if name not in valid:
            near = nearest(name, valid)
            raise ConfigError(
                f"unknown class {name!r}", where="data.classes",
                expected=f"of {printable(path)}: {abbreviate(sorted(set(named.values())), _MANY)}",
                remedy=f"did you mean {near!r}?" if near else None,
            )  # fmt: skip


def picture_sizes(files: Sequence[Path], *, stored: Container[Path] = ()) -> dict[Path, Size | None]:
    """Height and width of each image from its header; None where it cannot be read, which is reported on reading it.

    Args:
        files: The images.
        stored: Those of which the size as stored is sufficient, before any EXIF orientation; it is faster to get.
    """

    def size(path: Path) -> Size | None:
        try:
            return stored_size(path) if path in stored else image_size(path)
        except ImageError:
            return None

    return dict(zip(files, parallel_map(size, files), strict=True))


class UnpairedError(DataError):
    """Images and annotations without a counterpart.

    Args:
        what, where, expected, remedy: As in `KsegError`.
        count: Their number.
        total: The number of those with a counterpart, and these.
    """

    def __init__(
        self, what: str, *, where: str, expected: str, remedy: str | None, count: int = 0, total: int = 0
    ) -> None:
        super().__init__(what, where=where, expected=expected, remedy=remedy)
        self.count, self.total = count, total


def report_unpaired(
    problems: Sequence[str], *, where: str, expected: str, unpaired: Unpaired, count: int, remaining: int,
    remedy: Callable[[], str | None] | None = None,
) -> None:  # fmt: skip
    """Report images and annotations without a counterpart: as an error or, with ``unpaired: skip``, as a warning.

    Args:
        problems: The problems, each as a phrase with counts; nothing is reported if empty.
        where: The file or folder.
        expected: What was expected.
        unpaired: The setting ``data.unpaired``.
        count: The number of images and annotations that have such a problem.
        remaining: The number of samples without such a problem.
        remedy: Returns the remedy for the error. Defaults to a general one.

    Raises:
        UnpairedError: ``unpaired`` is ``error``, or nothing remains.
    """
    if not problems:
        return
    if unpaired == "skip" and remaining:
        _log.warning("%s: %s; left out", where, "; ".join(problems))
        return
    skip = SKIP_UNPAIRED if remaining else "; with data.unpaired: skip none would remain"
    raise UnpairedError(
        "; ".join(problems), where=where, expected=expected, count=count, total=remaining + count,
        remedy=(remedy() if remedy else None) or f"add or remove files{skip}",
    )  # fmt: skip
