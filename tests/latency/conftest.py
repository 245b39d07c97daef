"""An untrained network, its TFLite and its ONNX file: speed does not depend on what was learnt."""

from __future__ import annotations

from pathlib import Path

import pytest

from kseg.data.dataset import Dataset
from kseg.exporters import choose, export_model
from tests.inference.conftest import models
from tests.tiny_run import make_run

__all__ = ["exported", "models", "run"]


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("untrained"), epochs=0)


@pytest.fixture(scope="session")
def exported(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("exported") / "discs"
    dataset = Dataset.load(run / "data.json")
    return export_model(run / "weights" / "best.keras", dataset, out, choose(["tflite", "onnx"], ["none"])).out
