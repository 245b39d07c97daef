"""`LayoutReading`: one way to read the files of a folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kseg.data.question import Question

__all__ = ["LayoutReading"]


@dataclass(frozen=True)
class LayoutReading:
    """One way to read the files of a folder.

    Args:
        settings: Keyword arguments of `DataSpec`.
        why: What in the folder says so.
        questions: Decisions in it that are guessed.
        spare: Path or glob of files that the format does not use → why.
        claims: Files, folders or globs of its ground truth, which other readings of the folder do not use.
        is_doubtful: Whether it counts only where there is no other reading.
    """

    settings: Mapping[str, Any]
    why: str
    questions: tuple[Question, ...] = ()
    spare: Mapping[str, str] = field(default_factory=dict)
    claims: tuple[str, ...] = ()
    is_doubtful: bool = False

    @property
    def format(self) -> str:
        """Its `DataSpec.format`."""
        return str(self.settings.get("format", "folders"))
