"""Findings about settings that are guessed and not confirmed."""

from __future__ import annotations

from collections.abc import Iterator

from kseg.data.inspection.checks.context import Context
from kseg.data.inspection.findings import Finding

__all__ = ["unanswered"]


def unanswered(context: Context) -> Iterator[Finding]:
    """Guesses of an earlier check, which the configuration lists in ``data.questions``."""
    if context.spec.questions:
        keys = ", ".join(context.spec.questions)
        yield Finding(
            code="unanswered", severity="question", what=f"is what was guessed right: {keys}?",
            why="a training on a wrong guess is wasted", count=context.total, total=context.total,
            guess={"data.questions": []}, advice="correct these settings, and remove the line data.questions",
        )  # fmt: skip
