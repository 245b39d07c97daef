"""Strict types for settings: their bounds, and how a message describes what they take. Loads no TensorFlow.

The sections of the configuration, and the specs of data and networks within it, are declared with these.
"""

from __future__ import annotations

import re
from typing import Annotated, Final, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

__all__ = [
    "EXPECTED", "ClassName", "ClassValues", "Count", "Factor", "FolderName", "HexColor", "NonEmptyText", "OptionalText",
    "RegularExpression", "Seed", "Share", "StrictBool", "Width",
]  # fmt: skip

EXPECTED: Final = "x-expected"
"""Keyword in the JSON schema: a description of valid values, where one made from the other keywords reads badly."""

OptionalText: TypeAlias = Annotated[
    str,
    Field(strict=True),
    # `test:` and `--set data.split.test=` are null in YAML, and are meant as empty.
    BeforeValidator(lambda value: "" if value is None else value),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "null"}], EXPECTED: "text, may be empty"}),
]
NonEmptyText: TypeAlias = Annotated[str, Field(strict=True, min_length=1)]
Width: TypeAlias = Annotated[int, Field(strict=True, ge=1, le=4096)]
Count: TypeAlias = Annotated[int, Field(strict=True, ge=1, le=1_000_000)]
Seed: TypeAlias = Annotated[int, Field(strict=True, ge=0, le=2**32 - 1)]
Share: TypeAlias = Annotated[float, Field(strict=True, ge=0, le=1, allow_inf_nan=False)]
Factor: TypeAlias = Annotated[float, Field(strict=True, gt=0, le=10, allow_inf_nan=False)]
StrictBool: TypeAlias = Annotated[bool, Field(strict=True)]


def _compiles(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        details = {"expected": "one that Python's re module reads", "found": f"{value!r}: {error}"}
        raise PydanticCustomError("kseg", "not a regular expression", details) from None
    return value


def _not_blank(value: str) -> str:
    if not value.strip():
        raise PydanticCustomError("kseg", "a name of blanks only", {"expected": "a name", "found": repr(value)})
    return value


RegularExpression: TypeAlias = Annotated[NonEmptyText, AfterValidator(_compiles)]
# Blanks around a class name are removed when it is used: nothing would be left of such a name.
ClassName: TypeAlias = Annotated[NonEmptyText, AfterValidator(_not_blank)]
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
_MaskValue: TypeAlias = (
    Annotated[int, Field(strict=True, ge=0, le=65535)]
    | Annotated[str, Field(strict=True, pattern="^(other|#[0-9a-fA-F]{6})$")]
)
ClassValues: TypeAlias = Annotated[
    dict[_MaskValue, Annotated[str, Field(strict=True)]],
    # Keys are integers in YAML but always text in JSON: the pattern accepts both.
    WithJsonSchema(
        {
            "type": "object",
            "propertyNames": {"pattern": "^([0-9]{1,5}|other|#[0-9a-fA-F]{6})$"},
            "additionalProperties": {"type": "string"},
            EXPECTED: "a mapping of mask values (0 to 65535, '#rrggbb' or other) to class names",
        }
    ),
]
