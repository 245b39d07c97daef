"""The kinds of values that settings have: strict types with bounds, and how their schemas describe them."""

from __future__ import annotations

import math
import re
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from kseg.augment import PRESETS, augment_schema, parse, to_plain
from kseg.errors import ConfigError
from kseg.registry import nearest

EXPECTED = "x-expected"
"""In the JSON schema: what a value should be, where its keywords do not read well in a message."""

Text: TypeAlias = Annotated[str, Field(strict=True)]
MaybeText: TypeAlias = Annotated[
    str,
    Field(strict=True),
    # `test:` and `--set data.split.test=` are null in YAML, and are meant as empty.
    BeforeValidator(lambda value: "" if value is None else value),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "null"}], EXPECTED: "text, or nothing"}),
]
SomeText: TypeAlias = Annotated[str, Field(strict=True, min_length=1)]
HANDLE: Final = r"^(?:(?:hf|kaggle|modelscope)://\S+|(?:resnet|vgg|efficientnet|mit)_[a-z0-9_]+)$"
"""What KerasHub downloads: a handle, or a text like its presets' names. A file of such a name is ``./resnet_x``."""
Handle: TypeAlias = Annotated[
    str, Field(strict=True, pattern=HANDLE), WithJsonSchema({"type": "string", "pattern": HANDLE, EXPECTED: "a handle"})
]
Width: TypeAlias = Annotated[int, Field(strict=True, ge=1, le=4096)]
Side: TypeAlias = Annotated[int, Field(strict=True, ge=8, le=8192)]
Count: TypeAlias = Annotated[int, Field(strict=True, ge=1, le=1_000_000)]
Seed: TypeAlias = Annotated[int, Field(strict=True, ge=0, le=2**32 - 1)]
Share: TypeAlias = Annotated[float, Field(strict=True, ge=0, le=1, allow_inf_nan=False)]
Factor: TypeAlias = Annotated[float, Field(strict=True, gt=0, le=10, allow_inf_nan=False)]

StrictBool: TypeAlias = Annotated[bool, Field(strict=True)]


def _compiles(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        told = {"expected": "one that Python's re module reads", "found": f"{value!r}: {error}"}
        raise PydanticCustomError("kseg", "not a regular expression", told) from None
    return value


Expression: TypeAlias = Annotated[SomeText, AfterValidator(_compiles)]

HexColor: TypeAlias = Annotated[
    str,
    Field(
        strict=True,
        pattern="^#[0-9a-fA-F]{6}$",
        json_schema_extra={EXPECTED: "a colour in quotes, as '#ff8000'"},
    ),
]
FolderName: TypeAlias = Annotated[
    str,
    Field(
        strict=True,
        # No slash and no control character, and no leading dot, which would hide the folder or lead out of it.
        pattern=r"^[^/\\.\x00-\x1f\x7f][^/\\\x00-\x1f\x7f]*$",
        max_length=200,
        json_schema_extra={EXPECTED: "the name of a folder, without slashes or a leading dot"},
    ),
]
MaskValue: TypeAlias = (
    Annotated[int, Field(strict=True, ge=0, le=65535)]
    | Annotated[str, Field(strict=True, pattern="^(other|#[0-9a-fA-F]{6})$")]
)


def _square(value: Any) -> Any:
    """One number for the size means a square."""
    return (value, value) if isinstance(value, int) and not isinstance(value, bool) else value


_SIDE_SCHEMA = {"type": "integer", "minimum": 8, "maximum": 8192}
Size: TypeAlias = Annotated[
    tuple[Side, Side],
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
Values: TypeAlias = Annotated[
    dict[MaskValue, Text],
    # JSON knows only text as keys, while YAML's are whole numbers: both are keys that this pattern lets pass.
    WithJsonSchema(
        {
            "type": "object",
            "propertyNames": {"pattern": "^([0-9]{1,5}|other|#[0-9a-fA-F]{6})$"},
            "additionalProperties": {"type": "string"},
            EXPECTED: "a mapping of mask values (0 to 65535, '#rrggbb' or other) to class names",
        }
    ),
]


_METHODS: Final = ("inverse", "median", "effective")


def _class_weights(value: Any) -> Any:
    expected = f"one of {', '.join(_METHODS)}, or a mapping of class names to numbers >= 0, or null"
    if isinstance(value, str) and value not in _METHODS:
        near = nearest(value, _METHODS)
        told = {"expected": expected, "found": repr(value), "remedy": f"did you mean {near!r}?" if near else None}
        raise PydanticCustomError("kseg", "wrong value", told)
    if isinstance(value, dict) and value:
        for name, weight in value.items():
            number = isinstance(weight, (int, float)) and not isinstance(weight, bool)
            if not isinstance(name, str) or not number or not 0 <= weight < math.inf:
                wrong = {"key": (name,), "expected": "a number >= 0 for the name of a class", "found": repr(weight)}
                raise PydanticCustomError("kseg", "not the weight of a class", wrong)
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


def _augment(value: Any) -> Any:
    """Every transform with every argument, as plain data; what is wrong keeps its own key."""
    try:
        return to_plain(parse(value))
    except ConfigError as error:
        key = (error.where or "").split(".")[1:]
        place = tuple(int(part) if part.isdecimal() else part for part in key)
        told: dict[str, Any] = {"key": place, "expected": error.expected, "found": error.found, "remedy": error.remedy}
        raise PydanticCustomError("kseg", error.what, told) from None


Augmentation: TypeAlias = Annotated[
    list[dict[str, dict[str, Any]]] | dict[str, str],
    PlainValidator(_augment),
    WithJsonSchema(
        {
            **augment_schema(),
            EXPECTED: f"one of {', '.join(PRESETS)}, or a list in order, or {{albumentations: FILE}}",
            "default": ["hflip"],
        }
    ),
]


class Section(BaseModel):
    """What all sections share: no unknown keys, and no changes once they are read."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)
