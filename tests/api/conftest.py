"""A small data set of drawn faces, and a model trained on it through `kseg.fit`."""

from __future__ import annotations

from pathlib import Path

import pytest

import kseg
from kseg.demo.faces import make_faces
from kseg.training import Run

CLASSES = ["background", "eyeglasses"]
VALUES = {0: "background", 255: "eyeglasses"}
SMALL = {"imgsz": [48, 48], "widths": [8, 16], "norm": "batch", "batch": 4, "lr": 4e-3}
"""A network that learns something in seconds."""


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``photos/images`` and ``photos/masks``: 40 faces, most of them with eyeglasses, masks 0 and 255."""
    return make_faces(tmp_path_factory.mktemp("data") / "photos", 40, size=(48, 48), seed=0)


@pytest.fixture(scope="session")
def run(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A training of two epochs."""
    return kseg.fit(
        data=photos, classes=CLASSES, values=VALUES, epochs=2, project=str(tmp_path_factory.mktemp("runs")), **SMALL
    )
