"""Settings from flags, which override those of the file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

from kseg.config.document import KeyPath, parse, short
from kseg.config.messages import Problem
from kseg.config.schema import ModelConfig, RunConfig, TrainConfig
from kseg.data.spec import DataSpec
from kseg.errors import UsageError

__all__ = ["SECTIONS", "FlagValue", "Override", "apply", "collect", "parse_set"]

SECTIONS: Final[dict[str, tuple[str, ...]]] = {
    "data": tuple(field.name for field in fields(DataSpec)),
    "model": tuple(ModelConfig.model_fields),
    "train": tuple(TrainConfig.model_fields),
    "run": tuple(RunConfig.model_fields),
}
"""Section → its keys, for the sections that are mappings of keys."""
_BY: Final = ("data", "split", "by")


@dataclass(frozen=True)
class FlagValue:
    """A value and the flag that set it, for messages: ``FlagValue(3, "--epochs")``."""

    value: Any
    flag: str


@dataclass(frozen=True)
class Override:
    """A key, its new value, and the flag that set it (None for Python callers)."""

    path: KeyPath
    value: Any
    flag: str | None = None


def parse_set(text: str) -> tuple[str, Any]:
    """Split ``key.sub=value`` and read the value as YAML.

    Returns:
        The dotted key and the value: ``train.lr=1e-4`` gives ``("train.lr", 0.0001)``, ``train.lr=`` the value None.

    Raises:
        UsageError: There is no ``=``, or no key before it.
        ConfigError: The value is not valid YAML.
    """
    key, equals, value = text.partition("=")
    flag = f"--set {short(text, 80)}"
    if not equals or not key.strip():
        raise UsageError("not a setting", where=flag, expected="KEY=VALUE, as train.lr=0.001")
    return key.strip(), parse(value, where=flag, numbered=False).data


def collect(overrides: Mapping[str, Any]) -> list[Override]:
    """The overrides in the order in which to apply them: parents before children, `data.split.by` before its siblings.

    A mapping for a whole section sets its keys one by one; any other mapping replaces the earlier value.
    """
    collected: list[Override] = []
    for key, override in overrides.items():
        value, flag = (override.value, override.flag) if isinstance(override, FlagValue) else (override, None)
        path = _key_path(str(key))
        if len(path) == 1 and path[0] in SECTIONS and isinstance(value, Mapping):
            collected += [Override((*path, str(name)), inner, flag) for name, inner in value.items()]
        else:
            collected.append(Override(path, value, flag))
    return sorted(collected, key=lambda override: (len(override.path), override.path[-1] != "by"))


def _key_path(key: str) -> KeyPath:
    return tuple(int(part) if part.isascii() and part.isdigit() and len(part) < 10 else part for part in key.split("."))


def apply(tree: dict[Any, Any], path: KeyPath, value: Any) -> Problem | None:
    """Set one key in the tree, in place. Returns the problem if it cannot be set."""
    if path == _BY and isinstance(tree.get("data"), (dict, type(None))):
        _change_split(tree, value)
        return None
    parent: Any = tree
    for depth, part in enumerate(path[:-1], start=1):
        inner = _get(parent, part)
        if inner is None:
            inner = _default(path[:depth])
            problem = _put(parent, part, inner, path[:depth])
            if problem:
                return problem
        parent = inner
    return _put(parent, path[-1], value, path)


def _change_split(tree: dict[Any, Any], kind: Any) -> None:
    """Set ``data.split.by``. Changing it removes the other keys, which mean something else in another kind of split."""
    data = tree.setdefault("data", {})
    split = data.get("split")
    same = isinstance(split, dict) and split.get("by", "fractions") == kind
    data["split"] = {**(split if same and split else {}), "by": kind}


def _get(parent: Any, part: str | int) -> Any:
    if isinstance(parent, dict):
        return parent.get(part)
    return parent[part] if isinstance(parent, list) and isinstance(part, int) and part < len(parent) else None


def _put(parent: Any, part: str | int, value: Any, path: KeyPath) -> Problem | None:
    if isinstance(parent, dict):
        parent[part] = value
        return None
    if isinstance(parent, list):
        if isinstance(part, int) and part < len(parent):
            parent[part] = value
            return None
        return Problem(path, "no such item", f"a number from 0 to {len(parent) - 1}", short(repr(part)))
    parent_text = short(repr(parent))
    return Problem(path, "the key cannot be set, since its parent has no keys", "a mapping or a list", parent_text)


def _default(path: KeyPath) -> Any:
    """What an override of an item starts from if its parent is not in the file: the default, if that is a list."""
    return list(TrainConfig.model_fields["imgsz"].default) if path == ("train", "imgsz") else {}
