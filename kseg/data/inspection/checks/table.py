"""`CHECKS`: the table of all checks of a data set, in the order in which they run::

    files     unreadable · misnamed · sizes and EXIF · grey · alpha · suffixes
    meaning   what the mask values mean: unknown values, colours, void, instances, inverted masks
    splits    empty
    questions guesses that nobody has confirmed
    masks     how they are stored · empty · ignored
    classes   absent · rare · gaps in ids · crowds
    copies    the same image twice

`kseg data check` shows all findings. A training stops at the first one that is an error, before it begins.
"""

from __future__ import annotations

from typing import Final

from kseg.data.inspection.checks import classes, copies, files, masks, meaning, questions, splits
from kseg.data.inspection.checks.context import Check

__all__ = ["CHECKS"]

CHECKS: Final[tuple[Check, ...]] = (
    questions.unanswered, files.unreadable, files.sizes, meaning.meaning, splits.empty_splits, classes.absent,
    copies.copies, masks.empty, masks.ignored, classes.rare, masks.stored, classes.gaps, classes.crowds,
    files.misnamed, files.gray, files.alpha, files.suffixes, files.pages,
)  # fmt: skip
