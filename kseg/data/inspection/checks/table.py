"""Everything that is looked for in a data set before it is trained on; `CHECKS` is the table::

    files     unreadable · misnamed · sizes and EXIF · grey · alpha · suffixes
    masks     values without a meaning · how they are stored · inverted · empty · ignored
    classes   absent · rare · gaps in ids · crowds
    copies    the same picture twice

`kseg data check` shows all findings. A training ends before it begins with the first that is an error.
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
