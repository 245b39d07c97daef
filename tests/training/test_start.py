"""Weights that a training begins with: told before the data are read, and taken whole."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np
import pytest

from kseg.errors import ArtifactError, ConfigError, UnknownNameError
from kseg.models import load_model
from kseg.models.weights import source
from kseg.training import Reporter, Run, fit
from kseg.training.checks import warn_of_scaling
from tests.training.conftest import Listener, config_for


class Deaf(Reporter):
    def reading(self, done: int, total: int) -> None:
        raise AssertionError("the data are being read")


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        (
            {"model__encoder": "resnet18", "model__weights": "vgg_11_imagenet"},
            UnknownNameError,
            "expected one of imagenet",
        ),
        ({"model__encoder": "mobilenetv2", "model__weights": "hf://x/y"}, ConfigError, "these are no weights for this"),
        ({"model__encoder": "vgg11"}, ConfigError, r"pip install 'kseg\[hub\]'"),
    ],
)
def test_weights_that_cannot_be_had_are_told_before_the_data_are_read(
    settings: dict[str, Any], error: type[Exception], message: str, discs: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(source, "find_spec", lambda _: None)
    with pytest.raises(error, match=message):
        fit(config_for(discs, tmp_path, model__widths=None, **settings), reporter=Deaf())


def test_what_is_no_model_of_kseg_is_told_before_the_data_are_read(discs: Path, tmp_path: Path) -> None:
    (tmp_path / "m.keras").write_text("no model")
    with pytest.raises(
        ArtifactError, match=r"m\.keras: the file is not what its name says; expected a \.keras file; found text"
    ):
        fit(config_for(discs, tmp_path, model__start=str(tmp_path / "m.keras")), reporter=Deaf())


def test_a_training_starts_where_another_ended(
    discs: Path, tmp_path: Path, trained: tuple[Run, Listener], caplog: pytest.LogCaptureFixture
) -> None:
    """With steps of no size, the network stays the one that it started from."""
    earlier = trained[0].folder
    config = config_for(
        discs, tmp_path, model__start=str(earlier), train__epochs=1, train__lr=1e-12, train__encoder_trainable=False
    )
    with caplog.at_level(logging.INFO, logger="kseg"):
        result = fit(config, reporter=Reporter())
    assert f"arrays from {earlier / 'weights' / 'best.keras'}, the head's among them" in caplog.text
    start_weights, trained_weights = (
        load_model(run / "weights" / "best.keras")[0].get_weights() for run in (earlier, result.folder)
    )
    for before, after in zip(start_weights, trained_weights, strict=True):
        np.testing.assert_allclose(after, before, atol=1e-6)


def test_another_scaling_than_the_start_knows_is_a_warning(
    discs: Path, tmp_path: Path, trained: tuple[Run, Listener], caplog: pytest.LogCaptureFixture
) -> None:
    config = config_for(discs, tmp_path, model__start=str(trained[0].folder), model__normalization="unit")
    with caplog.at_level(logging.WARNING, logger="kseg"):
        warn_of_scaling(config.model, config.model.network_spec(config.train.imgsz, channels=1))
    assert (
        "were trained with the normalisation symmetric, but this network has unit; set it to symmetric" in caplog.text
    )


def test_a_download_that_fails_leaves_no_run(discs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise URLError("no such host")

    monkeypatch.setattr("keras.src.utils.file_utils.urlretrieve", fail)
    monkeypatch.setattr("keras.src.utils.file_utils.config.keras_home", lambda: str(tmp_path / "keras"))
    config = config_for(discs, tmp_path, model__encoder="mobilenetv2", model__widths=None, model__weights="imagenet")
    with pytest.raises(ArtifactError, match="weights cannot be loaded"):
        fit(config)
    assert not (tmp_path / "fit").exists()
