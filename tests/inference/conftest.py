from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from tests.inference import artifacts


@pytest.fixture(scope="session")
def models(tmp_path_factory) -> Path:
    """A folder with the files of `artifacts.FORMS`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TensorFlow's converter warns of its own ways
        return artifacts.write_all(tmp_path_factory.mktemp("models"))
