"""Turn pydantic's validation errors into one-line messages."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from kseg.config.document import KeyPath, dotted, short
from kseg.config.schema import Config
from kseg.errors import ConfigError, abbreviate
from kseg.fields import EXPECTED
from kseg.registry import nearest

__all__ = ["Problem", "describe", "problems_of", "raise_first", "schema_at"]

_SCHEMA: Final = Config.model_json_schema()
_MISSING: Final = object()

Locate = Callable[[KeyPath], str]
"""From a key to its location, e.g. ``pets.yaml:12: train.lr``."""


@dataclass(frozen=True)
class Problem:
    """An invalid key or value; the fields are those of `kseg.errors.KsegError`, with the key in place of ``where``."""

    path: KeyPath
    what: str
    expected: str | None = None
    found: str | None = None
    remedy: str | None = None


def raise_first(problems: Sequence[Problem], locate: Locate) -> None:
    """Raise the first problem as an error that also lists the keys of the others.

    Raises:
        ConfigError: ``problems`` is not empty.
    """
    if not problems:
        return
    first, *others = problems
    remedies = [first.remedy] if first.remedy else []
    if others:
        count = f"{len(others)} more problem{'s' if len(others) > 1 else ''}"
        remedies.append(f"and {count}: {abbreviate(dotted(problem.path) for problem in others)}")
    raise ConfigError(
        first.what,
        where=locate(first.path),
        expected=first.expected,
        found=first.found,
        remedy="; ".join(remedies) or None,
    )


def problems_of(error: ValidationError, tree: Mapping[Any, Any], texts: Mapping[KeyPath, str]) -> list[Problem]:
    """The problems that pydantic reported, one per key.

    Args:
        error: The validation error.
        tree: The data that were validated.
        texts: Scalars as written in the file, where there is one.
    """
    problems: dict[KeyPath, Problem] = {}
    for detail in error.errors(include_url=False, include_input=False):
        path = _key_path(detail["loc"], tree)
        if detail["type"] == "kseg":
            problem = _own(path, detail["msg"], detail.get("ctx", {}))
        elif detail["type"] in {"extra_forbidden", "unexpected_keyword_argument", "invalid_key"}:
            problem = _unknown_key(path, tree)
        elif detail["type"] == "missing" and value_at(tree, path) is _MISSING:
            problem = _missing(path, tree)
        else:
            problem = _wrong_value(path, tree, texts)
        problems.setdefault(problem.path, problem)
    return list(problems.values())


def _own(path: KeyPath, message: str, context: Mapping[str, Any]) -> Problem:
    key = context.get("key") or ()
    place = (*path, *((key,) if isinstance(key, str) else key))
    return Problem(place, message, context.get("expected"), context.get("found"), context.get("remedy"))


def _missing(path: KeyPath, tree: Mapping[Any, Any]) -> Problem:
    remedy = "pass --data FOLDER, or set data.root" if path in {("data",), ("data", "root")} else None
    path = ("data", "root") if path == ("data",) else path
    return Problem(path, "the key is missing", describe(schema_at(path, tree) or {}), "nothing", remedy)


def _unknown_key(path: KeyPath, tree: Mapping[Any, Any]) -> Problem:
    parent, name = path[:-1], str(path[-1])
    schema = _choose(schema_at(parent) or {}, None, value_at(tree, parent))
    siblings = sorted(_properties(schema))
    elsewhere = next((key for key in _all_keys() if key.rpartition(".")[2] == name), None)
    near = elsewhere or nearest(name, siblings)
    return Problem(
        path,
        "unknown key",
        f"one of {', '.join(siblings)}" if siblings else None,
        short(repr(name)),
        f"did you mean {near!r}?" if near else None,
    )


def _wrong_value(path: KeyPath, tree: Mapping[Any, Any], texts: Mapping[KeyPath, str]) -> Problem:
    value = value_at(tree, path)
    schema = schema_at(path, tree) or {}
    if path == ("data", "split") and isinstance(value, Mapping):
        return _wrong_value((*path, "by"), tree, texts)
    if len(path) == 3 and path[:2] == ("data", "values") and not _is_mask_value(path[2]):
        return Problem(path, "not a mask value", "a whole number from 0 to 65535, or other", short(repr(path[2])))
    choices = [str(choice) for choice in _choices(schema)]
    near = nearest(value, choices) if isinstance(value, str) else None
    remedy = f"did you mean {near!r}?" if near else None
    if isinstance(value, (bool, int, float)) and _takes_text(schema):
        text = texts.get(path)
        reading = "a boolean" if isinstance(value, bool) else "a number"
        actual = f"{text}, which YAML reads as {reading}" if text else f"{reading}, {_found(value, None)}"
        remedy = f'put it in quotes: "{text}"' if text else "put the word in quotes"
        return Problem(path, "not text", describe(schema), actual, remedy)
    if value is None and _takes_text(schema):
        remedy = "put text that begins with # or means null in quotes"
    return Problem(path, "wrong value", describe(schema), _found(value, texts.get(path)), remedy)


def _found(value: object, text: str | None) -> str:
    if value is _MISSING:
        return "nothing"
    if value is None:
        return "null" if text else "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)) and text:
        return short(text)
    return short(repr(value))


def _is_mask_value(key: object) -> bool:
    return key == "other" or (isinstance(key, int) and not isinstance(key, bool) and 0 <= key <= 65535)


# --- the JSON schema as the one description of what a key may hold ------------------------------------------------


def schema_at(path: KeyPath, tree: Mapping[Any, Any] | None = None) -> dict[str, Any] | None:
    """The JSON schema of a key, or None where there is no such key.

    Args:
        path: The key.
        tree: The configuration, whose ``data.split.by`` selects the keys of ``data.split``; without it, those of every
            kind are valid.
    """
    schemas = [_SCHEMA]
    for depth, part in enumerate(path):
        selected = [_choose(schema, part, value_at(tree, path[:depth])) for schema in schemas]
        schemas = [inner for schema in selected for inner in _inner(schema, part)]
    if not schemas:
        return None
    return schemas[0] if len(schemas) == 1 else {"anyOf": schemas}


def _choose(schema: dict[str, Any], part: str | int | None, value: Any) -> dict[str, Any]:
    """The alternative of a tagged union that the value's tag (``by``) selects; else ``schema`` itself."""
    tag = schema.get("discriminator")
    if not tag or part == tag["propertyName"] or not isinstance(value, Mapping):
        return schema
    kind = value.get(tag["propertyName"], "fractions")
    reference = tag["mapping"].get(kind) if isinstance(kind, str) else None
    return {"$ref": reference} if reference else schema


def _inner(schema: dict[str, Any], part: str | int) -> Iterator[dict[str, Any]]:
    """The schemas of a key or list item, one per alternative of ``schema`` that has it."""
    for option in _options(schema):
        if isinstance(part, str) and part in option.get("properties", {}):
            yield option["properties"][part]
        elif isinstance(option.get("additionalProperties"), dict):
            yield option["additionalProperties"]
        elif isinstance(part, int) and 0 <= part < len(option.get("prefixItems", ())):
            yield option["prefixItems"][part]
        elif isinstance(part, int) and isinstance(option.get("items"), dict):
            yield option["items"]


def _options(schema: dict[str, Any]) -> list[dict[str, Any]]:
    """The alternatives (anyOf, oneOf) of a schema, with references resolved; itself where there are none."""
    if "$ref" in schema:
        return _options(_SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]])
    alternatives = schema.get("anyOf") or schema.get("oneOf")
    return [option for alternative in alternatives for option in _options(alternative)] if alternatives else [schema]


def _properties(schema: dict[str, Any]) -> set[str]:
    return {name for option in _options(schema) for name in option.get("properties", {})}


def _all_keys() -> Iterator[str]:
    for section in _SCHEMA["properties"]:
        for name in _properties(_SCHEMA["properties"][section]):
            yield f"{section}.{name}"


def _choices(schema: dict[str, Any]) -> list[Any]:
    return [
        choice
        for option in _options(schema)
        for choice in option.get("enum", [option["const"]] if "const" in option else [])
    ]


def _takes_text(schema: dict[str, Any]) -> bool:
    """Whether arbitrary text is valid and numbers are not."""
    kinds = {option.get("type") for option in _options(schema) if "const" not in option and "enum" not in option}
    return "string" in kinds and not kinds & {"integer", "number"}


def describe(schema: dict[str, Any]) -> str:
    """A description of the valid values: ``a whole number >= 1``, ``one of cpu, gpu``."""
    if EXPECTED in schema:
        return str(schema[EXPECTED])
    parts: list[str] = []
    choices = _choices(schema)
    if choices:
        parts.append(f"one of {', '.join(map(str, choices))}" if len(choices) > 1 else str(choices[0]))
    for option in _options(schema):
        text = _describe_one(option)
        if text and text not in parts:
            parts.append(text)
    return ", or ".join(parts) if any(" " in part for part in parts) else " or ".join(parts)


def _describe_one(schema: dict[str, Any]) -> str | None:
    if "enum" in schema or "const" in schema:
        return None
    if EXPECTED in schema:
        return str(schema[EXPECTED])
    kind = schema.get("type")
    if kind in {"integer", "number"}:
        return ("a whole number" if kind == "integer" else "a number") + _bounds(schema)
    if kind == "array":
        return _describe_list(schema)
    if schema.get("format") == "path":
        return "a path"
    if kind == "string":
        return "text that is not empty" if schema.get("minLength") else "text"
    return {"null": "null", "boolean": "true or false", "object": "a mapping (key: value)"}.get(str(kind), str(kind))


def _bounds(schema: dict[str, Any]) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    if low is not None and high is not None:
        return f" from {low} to {high}"
    parts = [
        f"{sign} {limit}"
        for sign, limit in ((">=", low), (">", above), ("<=", high), ("<", below))
        if limit is not None
    ]
    return " " + " and ".join(parts) if parts else ""


def _describe_list(schema: dict[str, Any]) -> str:
    low, high = schema.get("minItems"), schema.get("maxItems")
    count = ""
    if low is not None and high is not None:
        count = f" of {low}" if low == high else f" of {low} to {high}"
    items: dict[str, Any] = schema.get("items") or next(iter(schema.get("prefixItems", ())), {})
    return f"a list{count}, each {describe(items)}"


# --- from pydantic's location to a key ----------------------------------------------------------------------------


def _key_path(location: tuple[str | int, ...], tree: Mapping[Any, Any]) -> KeyPath:
    """The path to a key from pydantic's location, which also contains the names of types and alternatives."""
    path: KeyPath = ()
    for part in location:
        candidate = (*path, part)
        exists = value_at(tree, candidate) is not _MISSING
        # A missing key is in the schema, but not in the mapping that should hold it.
        if exists or (isinstance(value_at(tree, path), Mapping) and schema_at(candidate, tree) is not None):
            path = candidate
    return path


def value_at(tree: Any, path: KeyPath) -> Any:
    """The value of a key in nested mappings and lists; `_MISSING` where there is none."""
    for part in path:
        if isinstance(tree, Mapping):
            tree = next((value for key, value in tree.items() if str(key) == str(part)), _MISSING)
        elif isinstance(tree, (list, tuple)) and isinstance(part, int) and 0 <= part < len(tree):
            tree = tree[part]
        else:
            return _MISSING
    return tree
