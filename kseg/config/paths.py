"""Paths in the configuration: expand ``${NAME}`` and ``~``, make them absolute, and check that they exist."""

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

__all__ = ["escape", "is_path", "missing_paths", "resolve_paths"]

_ROOT: Final = ("data", "root")
_WEIGHTS: Final = ("model", "weights")
_START: Final = ("model", "start")
_ALBUMENTATIONS: Final = ("augment", "albumentations")
_ALWAYS: Final[tuple[KeyPath, ...]] = (_ROOT, _WEIGHTS, _START, _ALBUMENTATIONS, ("run", "project"))
_LISTS: Final[tuple[KeyPath, ...]] = tuple(("data", "split", name) for name in ("train", "val", "test"))
_IMAGENET: Final = "imagenet"

_VARIABLE: Final = re.compile(r"\$\$\{|\$\{([^}]*)\}")
"""``${NAME}``, or ``$${`` for a literal ``${``."""


def is_path(key: KeyPath, value: object, tree: Mapping[Any, Any]) -> bool:
    """Whether the value of ``key`` is a path, in the configuration ``tree`` (plain data)."""
    if key in _LISTS:
        data = tree.get("data")
        split = data.get("split") if isinstance(data, Mapping) else None
        return isinstance(split, Mapping) and split.get("by") == "lists" and isinstance(value, str) and value != ""
    if key == _WEIGHTS and (value == _IMAGENET or re.match(HANDLE, str(value))):
        return False
    return key in _ALWAYS and isinstance(value, (str, Path))


def resolve_paths(tree: dict[Any, Any], base: Callable[[KeyPath], Path]) -> list[Problem]:
    """Expand every path and make it absolute, in place.

    Args:
        tree: The configuration as plain data.
        base: From a key to the folder that its relative paths are relative to.

    Returns:
        The problems; the paths that have one are left unchanged.
    """
    problems = []
    for section, key in _places(tree):
        value = section[key[-1]]
        if is_path(key, value, tree):
            resolved = _resolve(str(value), key, base(key))
            if isinstance(resolved, Problem):
                problems.append(resolved)
            else:
                section[key[-1]] = resolved
    return problems


def _places(tree: dict[Any, Any]) -> Iterator[tuple[dict[Any, Any], KeyPath]]:
    """Each key in the tree that may hold a path, with the mapping that contains it."""
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
    """An absolute path, escaped so that `resolve_paths` returns it unchanged."""
    return str(path.absolute()).replace("${", "$${")


def missing_paths(config: Config) -> list[Problem]:
    """The paths that must exist and do not."""
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
        path_text = short(str(pipeline), 200)
        problems.append(Problem(_ALBUMENTATIONS, "no such file", "a file that albumentations.save wrote", path_text))
    return problems


def _wrong_start(config: Config) -> list[Problem]:
    start = config.model.start
    if start is None:
        return []
    path_text = short(str(start), 200)
    if not os.path.exists(start):
        return [Problem(_START, "no such model", "a .keras file or a run folder of kseg", path_text)]
    if config.model.weights is not None:
        what = "the model to start from includes the encoder's weights"
        return [Problem(_START, what, "one of model.start and model.weights", "both")]
    return []


def _remedy(root: Path) -> str:
    if root.suffix.lower() in {".yaml", ".yml"}:
        return "pass a configuration file as the first argument, without --data"
    return "correct data.root or pass --data FOLDER"
