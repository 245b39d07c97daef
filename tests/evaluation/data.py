"""A small data set on disk whose truth the red network nearly finds."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kseg.images import write_png
from tests.inference.artifacts import RED, picture

REGIONS = (np.s_[2:12, 5:20], np.s_[0:9, 10:30], None, np.s_[6:20, 0:14], np.s_[3:8, 3:9], np.s_[10:16, 8:28])


def write_data(root: Path, labels=RED.labels) -> Path:
    """``images/`` and ``masks/`` of six pictures; the third shows background only."""
    for i, region in enumerate(REGIONS):
        image, ids = picture((20, 30), red=region)
        for folder, array in (("images", image), ("masks", labels.decode(ids))):
            (root / folder).mkdir(parents=True, exist_ok=True)
            write_png(root / folder / f"{i}.png", array)
    return root
