"""From a YAML file and overrides to a `Config`, and back to YAML."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from kseg.config.document import Document, KeyPath, dotted, dump, read, short
from kseg.config.messages import Problem, problems_of, raise_first
from kseg.config.overrides import apply, collect
from kseg.config.paths import escape, is_path, missing_paths, resolve_paths
from kseg.config.schema import Config, RunConfig
from kseg.errors import ConfigError

__all__ = ["json_schema", "load_config", "plain_tree", "to_yaml"]


def load_config(path: str | os.PathLike[str] | None, overrides: Mapping[str, Any] | None = None) -> Config:
    """Read a configuration, fill in the defaults and validate it.

    Args:
        path: The YAML file; None for the defaults alone.
        overrides: Dotted key → value, which replaces the file's: ``{"train.lr": 1e-4}``. A value may be a `FlagValue`,
            which names the flag that it came from. Paths in the file are relative to its folder, those of overrides to
            the current one.

    Returns:
        The configuration, with all paths absolute and `data.root` an existing folder.

    Raises:
        ConfigError: The file cannot be read, or a key or value is invalid.
    """
    source = _Source(None if path is None else Path(path), overrides or {})
    tree, problems = source.tree()
    try:
        config = Config.model_validate(tree)
    except ConfigError as error:  # raised by DataSpec, which validates itself
        raise _located(error, source) from None
    except ValidationError as error:
        invalid = problems_of(error, tree, source.texts())
        reported = {problem.path for problem in problems}
        problems += [problem for problem in invalid if problem.path not in reported]
    raise_first(problems, source.locate)
    raise_first(missing_paths(config), source.locate)
    return config


def to_yaml(config: Config) -> str:
    """Every setting as YAML, with absolute paths; `load_config` reads it back to an equal configuration."""
    return dump(plain_tree(config))


def plain_tree(config: Config) -> dict[str, Any]:
    """Every setting as plain data for a file: paths are absolute, and ``${`` in them is escaped."""
    tree = _plain(config.model_dump())

    def with_escaped_paths(value: Any, key: KeyPath) -> Any:
        if isinstance(value, dict):
            return {name: with_escaped_paths(inner, (*key, name)) for name, inner in value.items()}
        return escape(Path(value)) if is_path(key, value, tree) else value

    escaped: dict[str, Any] = with_escaped_paths(tree, ())
    return escaped


def json_schema() -> dict[str, Any]:
    """The JSON schema (draft 2020-12) of a configuration file, for editors."""
    schema = Config.model_json_schema()
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "kseg configuration"}
    return {**head, **{key: value for key, value in schema.items() if key != "title"}}


def _located(error: ConfigError, source: _Source) -> ConfigError:
    """A copy of the error that says where its key is in the file or on the command line."""
    keys = (error.where or "data").split(".")
    path = tuple(int(key) if key.isdecimal() else key for key in keys)
    return ConfigError(
        error.what, where=source.locate(path), expected=error.expected, found=error.found, remedy=error.remedy
    )


class _Source:
    """The file and the overrides, and where each key comes from."""

    def __init__(self, path: Path | None, overrides: Mapping[str, Any]) -> None:
        self.path = path
        self.document = Document() if path is None else read(path)
        self.overrides = collect(overrides)

    def tree(self) -> tuple[dict[Any, Any], list[Problem]]:
        """The file with the overrides applied, as plain data with absolute paths; and the problems met on the way."""
        tree = self._base()
        problems = [apply(tree, override.path, _plain(override.value)) for override in self.overrides]
        section = tree.setdefault("run", {})
        if isinstance(section, dict):
            section.setdefault("project", str(RunConfig().project))
        return tree, [problem for problem in problems if problem] + resolve_paths(tree, self._folder)

    def _base(self) -> dict[Any, Any]:
        data = self.document.data
        if data is None:
            return {}
        if not isinstance(data, dict):
            raise ConfigError(
                "not a configuration",
                where=str(self.path),
                expected=f"a mapping with the sections {', '.join(Config.model_fields)}",
                found=short(repr(data)),
            )
        return _without_empty_sections(data)

    def _folder(self, key: KeyPath) -> Path:
        """The folder that a relative path in this key is relative to."""
        default = key not in self.document.lines
        overridden = any(override.path == key[: len(override.path)] for override in self.overrides)
        return Path.cwd() if self.path is None or overridden or default else self.path.resolve().parent

    def texts(self) -> dict[KeyPath, str]:
        """The scalars of the file that are not overridden, as written there."""
        paths = {override.path for override in self.overrides}
        return {
            key: text
            for key, text in self.document.texts.items()
            if not any(key[:n] in paths for n in range(1, len(key) + 1))
        }

    def locate(self, key: KeyPath) -> str:
        """The location of a key, for errors: ``pets.yaml:12: train.lr`` or ``--set train.lr=abc``."""
        name = dotted(key)
        for override in reversed(self.overrides):
            if override.path == key[: len(override.path)] or key == override.path[: len(key)]:
                flag = override.flag or name
                return flag if name in flag else f"{flag}: {name}"
        if self.path is None:
            return name
        lines = (self.document.lines.get(key[:n]) for n in range(len(key), 0, -1))
        line = next((line for line in lines if line is not None), None)
        return f"{self.path}: {name}" if line is None else f"{self.path}:{line}: {name}"


def _plain(value: Any) -> Any:
    """A copy of nested mappings and sequences as dicts and lists."""
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    return str(value) if isinstance(value, Path) else value


def _without_empty_sections(data: dict[Any, Any]) -> dict[Any, Any]:
    """Replace null sections by their defaults: a section whose keys are all commented out is null in YAML."""
    tree = {key: {} if value is None and key in Config.model_fields else value for key, value in data.items()}
    if data.get("augment", ...) is None:
        del tree["augment"]
    section = tree.get("data")
    if isinstance(section, dict) and section.get("split", ...) is None:
        tree["data"] = {key: value for key, value in section.items() if key != "split"}
    return tree
