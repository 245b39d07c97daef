"""A training with class weights, balanced draws and the data set's own normalisation, and what it leaves behind."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kseg.card import read_card
from kseg.config import Config
from kseg.data.dataset import Dataset
from kseg.data.pipeline.arrays import load_arrays
from kseg.errors import ConfigError, UnknownNameError
from kseg.exporters import EXPORTERS, export_model
from kseg.inference import load_predictor
from kseg.models import NetworkSpec, load_model
from kseg.training import Reporter, Run, fit
from kseg.training.checks import warn_of_scaling
from kseg.training.network import compile_network

from .conftest import config_for, prepare


class Facts(Reporter):
    def started(self, folder: Path, facts: Mapping[str, str]) -> None:
        self.facts = dict(facts)


Balanced = tuple[Run, Facts]


@pytest.fixture(scope="module")
def balanced(discs: Path, tmp_path_factory: pytest.TempPathFactory) -> Balanced:
    facts = Facts()
    config = config_for(
        discs, tmp_path_factory.mktemp("project"), train__epochs=2, train__class_weights="inverse",
        train__sampler="balanced", train__loss="cross_entropy + dice", model__normalization="dataset",
    )  # fmt: skip
    return fit(config, reporter=facts), facts


def training_pixels(result: Run) -> tuple[np.ndarray, np.ndarray]:
    """All pixels of the training pictures ``[P, 3]``, and their truth ``[P]``, by Pillow alone."""
    samples = Dataset.load(result.folder / "data.json").samples("train")
    images = [np.asarray(Image.open(sample.image).convert("RGB"), np.float64).reshape(-1, 3) for sample in samples]
    masks = [np.asarray(Image.open(str(sample.mask))).ravel() > 0 for sample in samples]
    return np.concatenate(images), np.concatenate(masks)


def test_what_was_worked_out_is_told(balanced: Balanced) -> None:
    result, reporter = balanced
    pixels, truth = training_pixels(result)
    rare = 2 * (1 - truth.mean())  # of two classes, in inverse proportion, with a mean of 1
    assert reporter.facts["class weights"] == f"background {2 - rare:.3g}, disc {rare:.3g}"
    mean, std = (", ".join(f"{v:.1f}" for v in values) for values in (pixels.mean(0), pixels.std(0)))
    assert reporter.facts["pixels"] == f"mean {mean}, deviation {std} (red, green, blue)"


def test_the_card_says_what_the_network_does_to_pixels(balanced: Balanced) -> None:
    result, _ = balanced
    pixels, _ = training_pixels(result)
    model, card = load_model(result.folder / "weights" / "best.keras")
    assert card.normalization == "dataset"
    np.testing.assert_allclose(card.network["pixel_mean"], pixels.mean(0), rtol=1e-6)
    np.testing.assert_allclose(card.network["pixel_std"], pixels.std(0), rtol=1e-6)
    scaled = np.asarray(model.get_layer("normalize")(pixels[None, None].astype(np.float32)))
    np.testing.assert_allclose(scaled.reshape(-1, 3).mean(0), 0, atol=1e-3)
    np.testing.assert_allclose(scaled.reshape(-1, 3).std(0), 1, rtol=1e-3)


def test_the_exported_artifact_takes_raw_pixels(balanced: Balanced, tmp_path: Path) -> None:
    result, _ = balanced
    best = result.folder / "weights" / "best.keras"
    dataset = Dataset.load(result.folder / "data.json")
    export_model(best, dataset, tmp_path / "out", EXPORTERS[:2])
    image = np.asarray(Image.open(dataset.samples("val")[0].image).convert("RGB"))
    network, card = load_model(best)
    expected = np.asarray(network(image[None].astype(np.float32)))[0]
    for artifact in ("saved_model", "model_float32.tflite"):
        path = tmp_path / "out" / artifact
        assert read_card(path).network == card.network
        np.testing.assert_allclose(load_predictor(path).scores(image), expected, atol=1e-4)


def test_a_heavier_class_is_found_in_more_places(discs: Path, tmp_path: Path) -> None:
    """Ten steps from the same weights on the same batch: the disc's scores are the higher, the more the disc weighs."""

    def score(weights: Any) -> float:
        config = config_for(discs, tmp_path, train__class_weights=weights)
        data = prepare(config)
        spec = config.model.network_spec(config.train.imgsz, data.channels)
        model = compile_network(spec, config.model, config.train, data, precision="float32")
        arrays = load_arrays(data.dataset.samples("train")[:4], data.dataset.labels, (32, 32))
        images, masks = arrays.images.astype(np.float32), arrays.masks
        for _ in range(10):
            model.train_on_batch(images, masks)
        return float(np.asarray(model(images)).mean())

    assert score({"disc": 20}) > score(None) + 0.1 > score({"background": 20}) + 0.2


def prepared_weights(discs: Path, tmp_path: Path, setting: Any) -> tuple[float, ...] | None:
    return prepare(config_for(discs, tmp_path, train__class_weights=setting)).class_weights


def test_weights_by_name(discs: Path, tmp_path: Path) -> None:
    assert prepared_weights(discs, tmp_path, None) is None
    assert prepared_weights(discs, tmp_path, {"disc": 3}) == (1.0, 3.0)
    assert prepared_weights(discs, tmp_path, {"disc": 3, "background": 0}) == (0.0, 3.0)


def test_a_misspelt_class_and_no_weight_at_all(discs: Path, tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match=r"train\.class_weights: unknown class 'disk'; .*did you mean 'disc'"):
        prepared_weights(discs, tmp_path, {"disk": 3})
    with pytest.raises(ConfigError, match=r"train\.class_weights: every class weighs 0"):
        prepared_weights(discs, tmp_path, {"disc": 0, "background": 0})


def test_each_sample_is_drawn_once_unless_asked(discs: Path, tmp_path: Path) -> None:
    assert prepare(config_for(discs, tmp_path)).sample_weights is None
    weights = prepare(config_for(discs, tmp_path, train__sampler="balanced")).sample_weights
    assert weights is not None
    np.testing.assert_allclose(weights, np.ones(19))  # each has both classes


def warn(config: Config) -> NetworkSpec:
    spec = config.model.network_spec(config.train.imgsz, channels=1)
    warn_of_scaling(config.model, spec)
    return spec


def test_a_scaling_that_the_weights_do_not_know_is_a_warning(
    discs: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = {"model__widths": None, "model__encoder": "mobilenetv2", "model__weights": "imagenet"}
    with caplog.at_level(logging.WARNING, logger="kseg"):
        for name, warnings in (("symmetric", 0), ("unit", 1), ("dataset", 1)):
            caplog.clear()
            assert warn(config_for(discs, tmp_path, model__normalization=name, **settings)).scaling == name
            messages = [record.message for record in caplog.records if "model.normalization" in record.message]
            assert len(messages) == warnings
            assert all(
                f"were trained with the normalisation symmetric, but this network has {name};" in text
                for text in messages
            )


def test_what_a_file_was_trained_with_is_not_known(
    discs: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "w.h5").touch()
    settings = {"model__widths": None, "model__encoder": "mobilenetv2", "model__weights": str(tmp_path / "w.h5")}
    with caplog.at_level(logging.WARNING, logger="kseg"):
        warn(config_for(discs, tmp_path, model__normalization="unit", **settings))
    assert (
        "the weights of mobilenetv2 are usually trained with the normalisation symmetric, but this network has unit"
        in caplog.text
    )


def test_a_wrong_size_is_told_before_the_data_are_read_whatever_the_scaling(discs: Path, tmp_path: Path) -> None:
    config = config_for(discs, tmp_path, model__normalization="dataset")
    assert config.model.network_spec(config.train.imgsz, channels=1).scaling == "dataset"
