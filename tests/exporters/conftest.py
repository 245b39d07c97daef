"""One trained run, exported once, for all tests of this folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from kseg.data.dataset import Dataset
from kseg.exporters import EXPORTERS, ExportReport, choose, export_model
from tests.tiny_run import make_run

FLOAT_RUN = tuple(row for row in EXPORTERS if row.quantization != "qat")
"""What a run can be exported to that was not trained for int8."""


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("trained"))


@pytest.fixture(scope="session")
def dataset(run: Path) -> Dataset:
    return Dataset.load(run / "data.json")


@pytest.fixture(scope="session")
def exported(run: Path, dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> ExportReport:
    out = tmp_path_factory.mktemp("exported") / "discs"
    return export_model(run / "weights" / "best.keras", dataset, out, choose(None, ["none", "int8"]), calibration=8)
