"""Finding: a problem or peculiarity of a data set, and the settings that solve it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import yaml

from kseg.errors import DataError, shell_command
from kseg.images import printable

__all__ = ["OF_CLASSES", "OF_TRAINING", "SEVERITIES", "Finding", "Severity", "setting_line", "setting_option"]

Severity = Literal["error", "question", "warning", "note"]
SEVERITIES: Final[tuple[Severity, ...]] = ("error", "question", "warning", "note")
"""``error`` prevents a training, ``question`` does until it is answered, ``warning`` may harm it or its scores,
``note`` is handled and for information."""

OF_TRAINING: Final = frozenset({"absent-class", "empty-split", "copies-across-splits"})
"""Codes of findings that matter to a training, but not to an evaluation of the same images."""

OF_CLASSES: Final = frozenset({"absent-class", "rare-class"})
"""Codes of findings about the classes, which are void where the mask values mean something else."""

_SHOWN: Final = 5


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A finding of a check.

    Args:
        code: Its name, for scripts: ``unlisted-values``.
        severity: ``error``, ``question``, ``warning`` or ``note``.
        what: What was found, as a sentence with counts, without a full stop.
        why: Why it matters.
        count: Number of samples concerned.
        total: Number of samples checked.
        files: The keys of the samples concerned.
        expected, found: What was expected and what was found, for the error message.
        fix: The settings that solve it and are certain: dotted key → value. Empty if no setting does.
        guess: The settings that probably solve it, but are not certain: they are asked about and never applied unasked.
        undecided: The mask values or colours that the question is about, which ``--preview`` draws.
        advice: What else to do, besides or instead of ``fix``.
    """

    code: str
    severity: Severity
    what: str
    why: str
    count: int
    total: int
    files: tuple[str, ...] = ()
    expected: str | None = None
    found: str | None = None
    fix: Mapping[str, Any] = field(default_factory=dict)
    guess: Mapping[str, Any] = field(default_factory=dict)
    undecided: tuple[int | str, ...] = ()
    advice: str | None = None

    @property
    def prevents(self) -> bool:
        """Whether no training starts with it: an error, or a question that is not answered."""
        return self.severity in ("error", "question")

    @property
    def lines(self) -> list[str]:
        """The settings of `fix` as lines of a configuration; long ones are abbreviated."""
        return [setting_line(key, value) for key, value in self.fix.items()]

    @property
    def answer(self) -> str:
        """The options that take `guess`: ``--set 'data.values={0: background, 255: cell}'``."""
        return " ".join(shell_command("--set", setting_option(key, value)) for key, value in self.guess.items())

    def to_error(self, root: Path, *, in_python: bool = False) -> DataError:
        """The finding as an error, which stops a training before it begins.

        Args:
            root: Its place.
            in_python: Whether a question is answered by arguments, instead of options of the command line.
        """
        fix = f"add {'; '.join(self.lines)}" if self.fix else None
        arguments = ", ".join(f"{key.removeprefix('data.')}={_plain(value)!r}" for key, value in self.guess.items())
        answer = f"answer with {arguments if in_python else self.answer}, if that is right" if self.guess else None
        return DataError(
            self.what, where=printable(root), expected=self.expected, found=self.found,
            remedy=", or ".join(part for part in (fix, answer, self.advice) if part) or None,
        )  # fmt: skip

    def to_json(self) -> dict[str, Any]:
        """The finding as plain JSON types, with all files."""
        return {
            "code": self.code,
            "severity": self.severity,
            "what": self.what,
            "why": self.why,
            "count": self.count,
            "total": self.total,
            "files": [printable(name) for name in self.files],
            "expected": self.expected,
            "found": self.found,
            "fix": [{"key": key, "value": _plain(value)} for key, value in self.fix.items()],
            "guess": [{"key": key, "value": _plain(value)} for key, value in self.guess.items()],
            "advice": self.advice,
        }


def setting_option(key: str, value: Any) -> str:
    """A setting as the option ``--set`` takes it: ``data.values={0: background, 255: nucleus}``."""
    line = setting_line(key, value, whole=True).replace(": ", "=", 1)
    # Within the quotes of a shell, double quotes can be read.
    return re.sub(r"'(#[0-9a-fA-F]{6})'", r'"\1"', line)


def setting_line(key: str, value: Any, *, whole: bool = False) -> str:
    """A setting as a line of YAML: ``data.values: {0: background, 255: nucleus}``; long lists are abbreviated.

    Args:
        key: The dotted key.
        value: Its value.
        whole: Whether long lists are not abbreviated.
    """
    if (
        not whole
        and isinstance(value, Sequence)
        and not isinstance(value, str)
        and len(value) > _SHOWN
        and key == "data.exclude"
    ):
        head = _flow(list(value[:_SHOWN]))
        return f"{key}: {head[:-1]}, …]  # {len(value)} in all; --fix-config writes them"
    return f"{key}: {_flow(value)}"


def _flow(value: Any) -> str:
    text: str = yaml.safe_dump(_plain(value), default_flow_style=True, sort_keys=False, allow_unicode=True, width=10**9)
    return text.removesuffix("...\n").strip()


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    return printable(value) if isinstance(value, str) else value
