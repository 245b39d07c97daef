"""`CHECKS`: the table of all checks of a data set, in the order in which they run::

    files     unreadable · misnamed · sizes and EXIF · grey · alpha · suffixes
    masks     unknown values · how they are stored · inverted · empty · ignored
    classes   absent · rare · gaps in ids · crowds
    copies    the same image twice

`kseg data check` shows all findings. A training stops at the first one that is an error, before it begins.
"""

from __future__ import annotations

from typing import Final

from kseg.data.inspection.checks import classes, copies, files, masks
from kseg.data.inspection.checks.context import Check

__all__ = ["CHECKS"]

CHECKS: Final[tuple[Check, ...]] = (
    files.unreadable, files.sizes, masks.unsettled, masks.values, classes.absent, masks.inverted, copies.copies,
    masks.empty, masks.ignored, classes.rare, masks.named, masks.stored, classes.gaps, classes.crowds,
    files.misnamed, files.gray, files.alpha, files.suffixes,
)  # fmt: skip
