"""What the readers share: which classes are drawn with which mask value, the pictures' sizes, what has no partner."""

from __future__ import annotations

import logging
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kseg.data.objects import OBJECT_VOID
from kseg.data.spec import DataSpec, Unpaired
from kseg.errors import ConfigError, DataError, ImageError, abbreviate
from kseg.images import image_size, printable, stored_size
from kseg.labels import IGNORE, OTHER
from kseg.parallel import parallel_map
from kseg.registry import nearest
from kseg.sizes import Size

__all__ = ["BACKGROUND", "Choice", "choose", "picture_sizes", "report_lonely"]

_log = logging.getLogger("kseg")

BACKGROUND = "background"
_MANY = 24


@dataclass(frozen=True)
class Choice:
    """What is drawn.

    Args:
        values: Mask value → class name or ``ignore``, complete: nothing (0), every drawn class, voids.
        drawn: The mask values that are drawn; the objects of others are not.
    """

    values: Mapping[int | str, str]
    drawn: frozenset[int]


def choose(named: Mapping[int, str], spec: DataSpec, path: Path, *, voids: bool = False) -> Choice:
    """The classes that the user asks for, out of those that a format names.

    Args:
        named: Mask value, from 1 on, → class name as the format has it.
        spec: ``classes`` select by name, ``values`` by mask value; neither takes all.
        path: The file that names the classes, for messages.
        voids: Whether there may be pixels of unknown truth.

    Raises:
        ConfigError: The user names a class that there is not.
    """
    void: dict[int | str, str] = {OBJECT_VOID: IGNORE} if voids else {}
    if spec.values:
        return _by_values(named, spec, path, void)
    names = spec.classes if spec.classes is not None else (BACKGROUND, *named.values())
    _require_known(names, named, path)
    nothing = BACKGROUND if BACKGROUND in names else IGNORE
    chosen: dict[int | str, str] = {value: name for value, name in named.items() if name in names}
    return Choice({0: nothing, **chosen, **void}, frozenset(int(value) for value in chosen))


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
        values = {0: BACKGROUND if BACKGROUND in (spec.classes or values.values()) else IGNORE, **values}
    return Choice({**void, **values}, drawn)


def _require_known(names: Sequence[str], named: Mapping[int, str], path: Path) -> None:
    known = set(named.values()) | {BACKGROUND}
    for name in names:
        if name not in known:
            near = nearest(name, known)
            raise ConfigError(
                f"unknown class {name!r}", where="data.classes",
                expected=f"of {printable(path)}: {abbreviate(sorted(set(named.values())), _MANY)}",
                remedy=f"did you mean {near!r}?" if near else None,
            )  # fmt: skip


def picture_sizes(files: Sequence[Path], *, stored: Container[Path] = ()) -> dict[Path, Size | None]:
    """Height and width of each picture from its header; None where it cannot be read, which whoever reads it tells.

    Args:
        files: The pictures.
        stored: Those whose size as they are stored is enough, before any EXIF orientation.
    """

    def size(path: Path) -> Size | None:
        try:
            return stored_size(path) if path in stored else image_size(path)
        except ImageError:
            return None

    return dict(zip(files, parallel_map(size, files), strict=True))


def report_lonely(
    told: Sequence[str], *, where: str, expected: str, unpaired: Unpaired, left: int,
    remedy: Callable[[], str] | None = None,
) -> None:  # fmt: skip
    """Pictures and annotations without one another: an error, or left out with a warning where some are ``left``.

    Raises:
        DataError: ``unpaired`` says so, or nothing is left.
    """
    if not told:
        return
    if unpaired == "skip" and left:
        _log.warning("%s: %s; left out", where, "; ".join(told))
        return
    raise DataError(
        "; ".join(told), where=where, expected=expected,
        remedy=(remedy() if remedy else None) or "add or remove files, or set data.unpaired: skip",
    )  # fmt: skip
