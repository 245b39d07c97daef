"""The picture that goes with the questions of a check: each undecided value drawn on three samples."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from kseg.data.inspection.inspect import Inspection
from kseg.data.inspection.preview import draw_preview, pick_samples
from kseg.data.inspection.value_table import tabulate
from kseg.errors import DataError

__all__ = ["preview_questions"]


def preview_questions(inspection: Inspection) -> npt.NDArray[np.uint8]:
    """Draw three samples with each undecided value or colour in turn; without undecided values, with every value.

    Returns:
        RGB uint8 ``[H, W, 3]``.

    Raises:
        DataError: No sample with a mask can be read.
    """
    undecided: list[Any] = [value for finding in inspection.errors for value in finding.undecided]
    table = tabulate(inspection.survey)
    values = list(dict.fromkeys(undecided)) or [table.name(int(value)) for value in table.values]
    facts = [facts for samples in inspection.survey.values() for facts in samples]
    samples = pick_samples(facts, values)
    if not samples:
        raise DataError("no sample can be drawn", where="--preview", expected="an image with a mask")
    return draw_preview(samples, values)
