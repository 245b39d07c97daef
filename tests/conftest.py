"""Fixtures that every room's tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real images; the test skips, and says so, where there is none."""
    folder = os.environ.get("KSEG_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("needs the real images: set KSEG_DATA")
    return Path(folder).resolve()
