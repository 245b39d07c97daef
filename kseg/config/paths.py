"""Paths in the configuration: variables, the home folder, and what a relative one is relative to."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from kseg.config.document import KeyPath, dotted, short
from kseg.config.fields import HANDLE
from kseg.config.messages import Problem
from kseg.config.schema import Config
from kseg.registry import nearest

__all__ = ["escape", "is_path", "resolve_paths", "unusable"]

_ROOT: Final = ("data", "root")
_WEIGHTS: Final = ("model", "weights")
_START: Final = ("model", "start")
_ALBUMENTATIONS: Final = ("augment", "albumentations")
_ALWAYS: Final[tuple[KeyPath, ...]] = (_ROOT, _WEIGHTS, _START, _ALBUMENTATIONS, ("run", "project"))
_LISTS: Final[tuple[KeyPath, ...]] = tuple(("data", "split", name) for name in ("train", "val", "test"))
_IMAGENET: Final = "imagenet"

_VARIABLE: Final = re.compile(r"\$\$\{|\$\{([^}]*)\}")
"""``$${`` stands for a plain ``${``, so that every path can be written."""


def is_path(key: KeyPath, value: object, tree: Mapping[Any, Any]) -> bool:
    """Whether the value of this key, in this configuration as plain data, is a path."""
    if key in _LISTS:
        data = tree.get("data")
        split = data.get("split") if isinstance(data, Mapping) else None
        return isinstance(split, Mapping) and split.get("by") == "lists" and isinstance(value, str) and value != ""
    if key == _WEIGHTS and (value == _IMAGENET or re.match(HANDLE, str(value))):
        return False
    return key in _ALWAYS and isinstance(value, (str, Path))


def resolve_paths(tree: dict[Any, Any], base: Callable[[KeyPath], Path]) -> list[Problem]:
    """Make every path absolute, in place.

    Args:
        tree: The configuration as plain data.
        base: The folder that a relative path of this key is relative to.

    Returns:
        What is wrong with the paths that were left as they are.
    """
    problems = []
    for section, name in _places(tree):
        value, key = section[name[-1]], name
        if is_path(key, value, tree):
            resolved = _resolve(str(value), key, base(key))
            if isinstance(resolved, Problem):
                problems.append(resolved)
            else:
                section[name[-1]] = resolved
    return problems


def _places(tree: dict[Any, Any]) -> Iterator[tuple[dict[Any, Any], KeyPath]]:
    """Each path key that the tree holds, with the mapping that holds it."""
    for key in (*_ALWAYS, *_LISTS):
        section: Any = tree
        for part in key[:-1]:
            section = section.get(part) if isinstance(section, dict) else None
        if isinstance(section, dict) and key[-1] in section:
            yield section, key


def _resolve(text: str, key: KeyPath, base: Path) -> str | Problem:
    if not text:
        return Problem(key, "the path is empty", "a path", "nothing")
    for name in (match.group(1) for match in _VARIABLE.finditer(text)):
        if name is not None and not os.environ.get(name):
            remedy = f"export {name}=PATH" + (
                " or pass --data PATH" if key == _ROOT else f" or pass --set {dotted(key)}=PATH"
            )
            return Problem(key, "the environment variable is not set", f"a value of {name}", short(repr(text)), remedy)
    try:
        home = Path(text).expanduser() if text.startswith("~") else Path(text)
        expanded = Path(_VARIABLE.sub(_value, str(home)))
        return str((base / expanded).resolve())
    except (OSError, RuntimeError, ValueError) as error:
        return Problem(key, "the path cannot be used", "a path", short(repr(text)), short(str(error)))


def _value(match: re.Match[str]) -> str:
    return "${" if match.group(1) is None else os.environ[match.group(1)]


def escape(path: Path) -> str:
    """A path as `resolve_paths` reads it back from YAML."""
    return str(path.absolute()).replace("${", "$${")


def unusable(config: Config) -> list[Problem]:
    """The paths that have to be there and are not."""
    problems = []
    root, weights = config.data.root, config.model.weights
    if not os.path.isdir(root):
        what = "not a folder" if os.path.exists(root) else "no such folder"
        problems.append(Problem(_ROOT, what, "the folder of the dataset", short(str(root), 200), _remedy(root)))
    if isinstance(weights, Path) and not os.path.exists(weights):
        near = nearest(weights.name, [_IMAGENET])
        remedy = f"did you mean {near!r}?" if near else None
        expected = "imagenet, a preset or handle of KerasHub, or a file or folder of weights"
        problems.append(Problem(_WEIGHTS, "no such file", expected, short(str(weights), 200), remedy))
    problems += _wrong_start(config)
    pipeline = config.augment.albumentations
    if pipeline is not None and not os.path.isfile(pipeline):
        found = short(str(pipeline), 200)
        problems.append(Problem(_ALBUMENTATIONS, "no such file", "a file that albumentations.save wrote", found))
    return problems


def _wrong_start(config: Config) -> list[Problem]:
    start = config.model.start
    if start is None:
        return []
    found = short(str(start), 200)
    if not os.path.exists(start):
        return [Problem(_START, "no such model", "a .keras file or a run folder of kseg", found)]
    if config.model.weights is not None:
        what = "the network to start from has the encoder's weights already"
        return [Problem(_START, what, "one of model.start and model.weights", "both")]
    return []


def _remedy(root: Path) -> str:
    if root.suffix.lower() in {".yaml", ".yml"}:
        return "name a configuration file first, without --data"
    return "mend data.root or pass --data FOLDER"
