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
        spare: Path of a file or folder that the format does not use → what it is.
    """

    settings: Mapping[str, Any]
    why: str
    questions: tuple[Question, ...] = ()
    spare: Mapping[str, str] = field(default_factory=dict)
