"""Types of values of the configuration only: image sizes, class weights, KerasHub handles, augmentation, losses."""

from __future__ import annotations

import math
from typing import Annotated, Any, Final, Literal, NoReturn, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from kseg.augment import PRESETS, Augment, augment_schema, parse, to_plain
from kseg.errors import KsegError, UsageError
from kseg.fields import EXPECTED
from kseg.losses.expression import LossExpression, parse_loss
from kseg.registry import nearest

__all__ = ["HANDLE", "Augmentation", "ClassWeights", "Handle", "ImageSize", "Loss", "Section"]

HANDLE: Final = r"^(?:(?:hf|kaggle|modelscope)://\S+|(?:resnet|vgg|efficientnet|mit)_[a-z0-9_]+)$"
"""What KerasHub downloads: a handle, or a name like its presets'. A local file is then ``./resnet_x``."""
Handle: TypeAlias = Annotated[
    str, Field(strict=True, pattern=HANDLE), WithJsonSchema({"type": "string", "pattern": HANDLE, EXPECTED: "a handle"})
]
_Side: TypeAlias = Annotated[int, Field(strict=True, ge=8, le=8192)]


def _square(value: Any) -> Any:
    """Expand a single number to (height, width)."""
    return (value, value) if isinstance(value, int) and not isinstance(value, bool) else value


_SIDE_SCHEMA = {"type": "integer", "minimum": 8, "maximum": 8192}
ImageSize: TypeAlias = Annotated[
    tuple[_Side, _Side],
    BeforeValidator(_square),
    WithJsonSchema(
        {
            "anyOf": [
                _SIDE_SCHEMA,
                {"type": "array", "prefixItems": [_SIDE_SCHEMA, _SIDE_SCHEMA], "items": False, "minItems": 2},
            ],
            EXPECTED: "a whole number from 8 to 8192, or [height, width]",
        }
    ),
]

_METHODS: Final = ("inverse", "median", "effective")


def _class_weights(value: Any) -> Any:
    """Validate ``train.class_weights``, with weights converted to floats."""
    expected = f"one of {', '.join(_METHODS)}, or a mapping of class names to numbers >= 0, or null"
    if isinstance(value, str) and value not in _METHODS:
        near = nearest(value, _METHODS)
        details = {"expected": expected, "found": repr(value), "remedy": f"did you mean {near!r}?" if near else None}
        raise PydanticCustomError("kseg", "wrong value", details)
    if isinstance(value, dict) and value:
        for name, weight in value.items():
            is_number = isinstance(weight, (int, float)) and not isinstance(weight, bool)
            if not isinstance(name, str) or not is_number or not 0 <= weight < math.inf:
                invalid = {"key": (name,), "expected": "a number >= 0 for the name of a class", "found": repr(weight)}
                raise PydanticCustomError("kseg", "not the weight of a class", invalid)
        return {name: float(weight) for name, weight in value.items()}
    if value is not None and not isinstance(value, str):
        raise PydanticCustomError("kseg", "wrong value", {"expected": expected, "found": repr(value)})
    return value


ClassWeights: TypeAlias = Annotated[
    Literal["inverse", "median", "effective"] | dict[str, float] | None,
    PlainValidator(_class_weights),
    WithJsonSchema(
        {
            "anyOf": [
                {"enum": list(_METHODS), "type": "string"},
                {"type": "object", "additionalProperties": {"type": "number", "minimum": 0}, "minProperties": 1},
                {"type": "null"},
            ],
            EXPECTED: "inverse, median, effective, a mapping of class names to numbers >= 0, or null",
        }
    ),
]


def _refuse(error: KsegError, key: tuple[str | int, ...] = ()) -> NoReturn:
    """Raise a parser's error as one of pydantic, so that it is reported with its line in the file."""
    details: dict[str, Any] = {"key": key, "expected": error.expected, "found": error.found, "remedy": error.remedy}
    raise PydanticCustomError("kseg", error.what, details) from None


def _parse_augment(value: Any) -> Augment:
    if isinstance(value, Augment):
        return value
    try:
        return parse(value)
    except UsageError as error:
        keys = (error.where or "").split(".")[1:]
        _refuse(error, tuple(int(key) if key.isdecimal() else key for key in keys))


Augmentation: TypeAlias = Annotated[
    Augment,
    PlainValidator(_parse_augment),
    PlainSerializer(to_plain),
    WithJsonSchema(
        {
            **augment_schema(),
            EXPECTED: f"one of {', '.join(PRESETS)}, or a list in order, or {{albumentations: FILE}}",
            "default": ["hflip"],
        }
    ),
]


def _parse_loss(value: Any) -> LossExpression:
    if isinstance(value, LossExpression):
        return value
    if not isinstance(value, str) or not value:
        raise PydanticCustomError("wrong_value", "not text")
    try:
        return parse_loss(value)
    except UsageError as error:
        _refuse(error)


Loss: TypeAlias = Annotated[
    LossExpression,
    PlainValidator(_parse_loss),
    PlainSerializer(str),
    WithJsonSchema({"type": "string", "minLength": 1, "default": "cross_entropy"}),
]


class Section(BaseModel):
    """Base class of the sections: unknown keys are refused, instances are immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)
