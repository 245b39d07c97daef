"""A configuration as a person would write it: only what differs from the defaults."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from kseg.config.document import dump
from kseg.config.load import plain_tree
from kseg.config.schema import Config

__all__ = ["to_brief_yaml"]

_ALWAYS: Final = {("data", "root"), ("data", "split", "by")}


def to_brief_yaml(config: Config, comment: str = "") -> str:
    """The settings that differ from their defaults as YAML; `load_config` reads it back to an equal configuration.

    Args:
        config: The settings.
        comment: Lines to begin with.
    """
    default = Config.model_validate({"data": {"root": config.data.root}, "run": {"project": Path.cwd() / "runs"}})
    tree = _different(plain_tree(config), plain_tree(default), ())
    head = "".join(f"# {line}\n" for line in comment.splitlines())
    return head + dump(tree)


def _different(tree: Mapping[str, Any], default: Any, path: tuple[str, ...]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    other_kind = isinstance(default, Mapping) and tree.get("by") != default.get("by")
    for key, value in tree.items():
        usual = default.get(key) if isinstance(default, Mapping) and not other_kind else None
        at = (*path, key)
        if isinstance(value, Mapping) and isinstance(usual, Mapping) and at[-1] != "values":
            inner = _different(value, usual, at)
            if inner and inner != {"by": "fractions"}:
                kept[key] = inner
        elif at in _ALWAYS or other_kind or value != usual:
            kept[key] = value
    return kept
