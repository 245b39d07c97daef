"""A configuration as a person would write it: only the settings that differ from their defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from kseg.config.document import dump, dump_line
from kseg.config.load import plain_tree
from kseg.config.schema import Config

__all__ = ["Guess", "to_brief_yaml"]

_ALWAYS: Final = {("data", "root"), ("data", "split", "by")}


@dataclass(frozen=True)
class Guess:
    """A setting that the data do not decide.

    Args:
        value: The value that is guessed.
        why: What is in question.
        accepted: Whether the user accepts it.
    """

    value: Any
    why: str
    accepted: bool


def to_brief_yaml(config: Config, comment: str = "", guesses: Mapping[str, Guess] | None = None) -> str:
    """The settings that differ from their defaults as YAML; `load_config` reads it back to an equal configuration.

    Args:
        config: The settings.
        comment: Text to write first, as comment lines.
        guesses: Dotted key of the section ``data`` → a guess. It is marked as such; those that are not accepted are
            listed in ``data.questions``, so that no training starts with them.
    """
    guesses = guesses or {}
    default = Config.model_validate({"data": {"root": config.data.root}, "run": {"project": Path.cwd() / "runs"}})
    tree = _different(plain_tree(config), plain_tree(default), ())
    head = "".join(f"# {line}\n" for line in comment.splitlines())
    for key in guesses:
        tree.get("data", {}).pop(key.removeprefix("data."), None)
    sections = [dump({name: section}) for name, section in tree.items()]
    lines = [f"  {dump_line(key.removeprefix('data.'), guess.value)}  # guessed: {guess.why}\n"
             for key, guess in guesses.items()]  # fmt: skip
    questions = [key for key, guess in guesses.items() if not guess.accepted]
    if questions:
        lines.append(f"  {dump_line('questions', questions)}  # no training starts before this line is removed\n")
    # The data section is the first one, since its root has no default.
    return head + "".join([sections[0], *lines, *sections[1:]])


def _different(tree: Mapping[str, Any], default: Any, path: tuple[str, ...]) -> dict[str, Any]:
    """The keys whose values differ from ``default``; all keys if ``by`` differs, which changes their meaning."""
    changed: dict[str, Any] = {}
    other_tag = isinstance(default, Mapping) and tree.get("by") != default.get("by")
    for key, value in tree.items():
        default_value = default.get(key) if isinstance(default, Mapping) and not other_tag else None
        key_path = (*path, key)
        if isinstance(value, Mapping) and isinstance(default_value, Mapping) and key_path[-1] != "values":
            inner = _different(value, default_value, key_path)
            if inner and inner != {"by": "fractions"}:
                changed[key] = inner
        elif key_path in _ALWAYS or other_tag or value != default_value:
            changed[key] = value
    return changed
