from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from tests.inference import artifacts


@pytest.fixture(scope="session")
def models(tmp_path_factory) -> Path:
    """A folder with the files of `artifacts.FORMS`, made once for all rooms that import this fixture."""
    folder: Path = tmp_path_factory.getbasetemp() / "models"
    if not folder.exists():
        folder.mkdir()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # TensorFlow's converter warns of its own ways
            artifacts.write_all(folder)
    return folder
