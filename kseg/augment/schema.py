"""The JSON schema of the section ``augment``, from the table of transforms."""

from __future__ import annotations

from typing import Any

from kseg.augment.presets import PRESETS
from kseg.augment.settings import TRANSFORMS, Argument, Transform, arguments

__all__ = ["augment_schema"]


def augment_schema() -> dict[str, Any]:
    """The JSON schema (draft 2020-12) of what `kseg.augment.parse` accepts."""
    file = {"type": "string", "description": "A file that albumentations.save wrote (YAML or JSON)."}
    return {
        "anyOf": [
            {"enum": list(PRESETS)},
            {
                "type": "array",
                "items": {"anyOf": [{"enum": [*TRANSFORMS, *(name for name in PRESETS if name != "none")]}, _items()]},
            },
            _mapping({"albumentations": file}),
        ]
    }


def _items() -> dict[str, Any]:
    return {**_mapping({name: _transform(kind) for name, kind in TRANSFORMS.items()}), "minProperties": 1,
            "maxProperties": 1}  # fmt: skip


def _mapping(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _transform(kind: type[Transform]) -> dict[str, Any]:
    properties = {key: _argument(*argument) for key, argument in arguments(kind).items()}
    main = {
        key: value for key, value in next(iter(properties.values())).items() if key not in {"description", "default"}
    }
    return {"description": (kind.__doc__ or "").strip(), "anyOf": [main, _mapping(properties), {"type": "null"}]}


def _argument(argument: Argument, default: Any) -> dict[str, Any]:
    kind = "integer" if "whole" in argument.kind else "number"
    number = {"type": kind, "minimum": argument.low, "maximum": argument.high}
    pair = {"type": "array", "prefixItems": [number, number], "items": False, "minItems": 2}
    value = list(default) if isinstance(default, tuple) else default
    return {**(pair if argument.is_pair else number), "description": argument.text, "default": value}
