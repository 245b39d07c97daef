"""Parse the section ``augment`` of a configuration into `Augment`, and turn it back into plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

from kseg.augment.presets import PRESETS
from kseg.augment.settings import TRANSFORMS, Augment, Transform, arguments
from kseg.errors import ConfigError
from kseg.registry import nearest

__all__ = ["parse", "to_plain"]

_LIST: Final = "a list in order, as [hflip, {rotate: 15}]"
_FORMS: Final = f"one of {', '.join(PRESETS)}, or {_LIST}, or {{albumentations: FILE}}"
_ITEM: Final = "the name of a transform or preset, or {name: value}"


def parse(value: Any) -> Augment:
    """Read the section ``augment`` of a configuration.

    Args:
        value: A preset's name; or a list of transforms in order, each a name, ``{name: main argument}`` or
            ``{name: {argument: value}}``, where a preset's name stands for its transforms; or
            ``{"albumentations": file}``.

    Raises:
        ConfigError: ``value`` is none of these; ``where`` is the dotted key, as in ``augment.2.rotate.degrees``.
    """
    if isinstance(value, str):
        return Augment(_preset(value))
    if isinstance(value, list):
        transforms = [transform for i, item in enumerate(value) for transform in _item(item, f"augment.{i}")]
        return Augment(tuple(transforms))
    if isinstance(value, Mapping) and set(value) == {"albumentations"}:
        return Augment(albumentations=_file(value["albumentations"]))
    key = next((str(name) for name in value if name != "albumentations"), None) if isinstance(value, Mapping) else None
    is_transform = key in TRANSFORMS
    raise ConfigError(
        "transforms must be in a list" if is_transform else "wrong value",
        where=f"augment.{key}" if is_transform else "augment", expected=_FORMS, found=_shown(value),
        remedy=f"write augment: [{{{key}: …}}]" if is_transform else None,
    )  # fmt: skip


def to_plain(augment: Augment) -> Any:
    """Plain data with all arguments, which `parse` reads back to an equal `Augment`."""
    if augment.albumentations is not None:
        return {"albumentations": str(augment.albumentations)}
    return [
        {transform.name: {argument.name: _plain(getattr(transform, argument.name)) for argument in fields(transform)}}
        for transform in augment.transforms
    ]


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _preset(name: str) -> tuple[Transform, ...]:
    if name in PRESETS:
        return PRESETS[name]
    if name in TRANSFORMS:
        raise ConfigError(
            "transforms must be in a list", where="augment", expected=_FORMS, found=_shown(name),
            remedy=f"write augment: [{name}]",
        )  # fmt: skip
    raise ConfigError("unknown preset", where="augment", expected=_FORMS, found=_shown(name), remedy=_near(name))


def _file(value: Any) -> Path:
    if isinstance(value, (str, Path)) and str(value):
        return Path(value)
    raise ConfigError("wrong value", where="augment.albumentations", expected="a path", found=_shown(value))


def _item(item: Any, where: str) -> tuple[Transform, ...]:
    if isinstance(item, str):
        return PRESETS[item] if item in PRESETS else (_kind(item, where)(),)
    if isinstance(item, Mapping) and len(item) == 1:
        ((name, value),) = item.items()
        return (_transform(_kind(name, where), value, f"{where}.{name}"),)
    raise ConfigError("wrong value", where=where, expected=_ITEM, found=_shown(item))


def _kind(name: Any, where: str) -> type[Transform]:
    if name in TRANSFORMS:
        return TRANSFORMS[name]
    raise ConfigError(
        "unknown transform", where=where, expected=f"one of {', '.join(TRANSFORMS)}", found=_shown(name),
        remedy=_near(name) if isinstance(name, str) else None,
    )  # fmt: skip


def _transform(kind: type[Transform], value: Any, where: str) -> Transform:
    allowed = arguments(kind)
    main = next(iter(allowed))
    values = value if isinstance(value, Mapping) else {} if value is None else {main: value}
    for key, argument in values.items():
        if key not in allowed:
            near = nearest(str(key), allowed)
            raise ConfigError(
                "unknown key", where=f"{where}.{key}", expected=f"one of {', '.join(allowed)}", found=_shown(key),
                remedy=f"did you mean {near!r}?" if near else None,
            )  # fmt: skip
        if not allowed[key][0].fits(argument):
            place = f"{where}.{key}" if isinstance(value, Mapping) else where
            raise ConfigError("wrong value", where=place, expected=allowed[key][0].expected, found=_shown(argument))
    return kind(**values)


def _near(name: str) -> str | None:
    near = nearest(name, [*PRESETS, *TRANSFORMS])
    return f"did you mean {near!r}?" if near else None


def _shown(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "nothing", True: "true", False: "false"}[value]
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else text[:59] + "…"
