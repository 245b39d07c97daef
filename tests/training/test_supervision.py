"""Trainings with deep supervision: what they are scored by, what they leave behind, and what they go together with."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from PIL import Image

from kseg.data.dataset import Dataset
from kseg.data.pipeline.arrays import load_arrays
from kseg.errors import ConfigError, Interrupted
from kseg.losses.loss import SegmentationLoss
from kseg.models import load_model
from kseg.training import Reporter, Run, fit
from tests.training.conftest import Listener, config_for, draw_discs

SETTINGS: dict[str, Any] = {
    "train__deep_supervision": True, "train__loss": "bce", "train__patience": 0, "model__widths": [4, 4, 8],
    "model__norm": "batch",
}  # fmt: skip


def validation(result: Run) -> tuple[np.ndarray, np.ndarray]:
    dataset = Dataset.load(result.folder / "data.json")
    data = load_arrays(dataset.samples("val"), dataset.labels, (32, 32))
    return data.images.astype(np.float32), data.masks


def iou(actual: np.ndarray, truth: np.ndarray) -> float:
    return float((actual & (truth == 1)).sum() / (actual | (truth == 1)).sum())


@pytest.mark.parametrize(("arch", "shares"), [("unet", (4 / 7, 2 / 7, 1 / 7)), ("unetplusplus", (1 / 3, 1 / 3, 1 / 3))])
def test_the_loss_is_of_all_heads_and_the_rest_of_the_network_alone(
    arch: str, shares: tuple[float, ...], discs: Path, tmp_path: Path, networks: list[keras.Model]
) -> None:
    result = fit(config_for(discs, tmp_path, model__arch=arch, train__epochs=6, **SETTINGS))
    images, truth = validation(result)
    logits = np.asarray(networks[0](images, training=False))
    assert logits.shape[-1] == 3
    losses = [float(SegmentationLoss("bce")(truth, logits[..., i : i + 1])) for i in range(3)]
    row = result.rows[-1]
    assert row["val_loss"] == pytest.approx(sum(s * loss for s, loss in zip(shares, losses, strict=True)), rel=1e-4)
    assert row["val_loss"] != pytest.approx(losses[0], rel=1e-3)
    assert row["val_iou"] == pytest.approx(iou(logits[..., 0] > 0, truth), abs=1e-4)
    assert row["loss"] < 0.8 * result.rows[0]["loss"]
    saved = keras.saving.load_model(result.folder / "weights" / "last.keras", compile=False, safe_mode=True)
    np.testing.assert_allclose(saved(images)[..., 0], 1 / (1 + np.exp(-logits[..., 0])), atol=1e-5)


def test_what_is_saved_is_the_network_of_a_run_without(discs: Path, tmp_path: Path) -> None:
    """Layer by layer, and with steps of no size number by number."""
    settings = {**SETTINGS, "train__epochs": 1, "train__lr": 1e-12, "train__weight_decay": 0.0}
    runs = [
        fit(config_for(discs, tmp_path / str(on), **{**settings, "train__deep_supervision": on}))
        for on in (False, True)
    ]
    first, second = (load_model(run.folder / "weights" / "best.keras")[0] for run in runs)
    assert [layer.get_config() for layer in first.layers] == [layer.get_config() for layer in second.layers]
    for expected, weight in zip(first.trainable_weights, second.trainable_weights, strict=True):
        assert expected.path == weight.path
        np.testing.assert_allclose(weight, expected, atol=1e-6, err_msg=expected.path)


def test_it_goes_with_averages_and_early_stopping(discs: Path, tmp_path: Path) -> None:
    """The file of the best epoch scores what that epoch said, whose weights are an average."""
    settings = {**SETTINGS, "train__average": 3, "train__patience": 2, "train__epochs": 8}
    result = fit(config_for(discs, tmp_path, **settings))
    images, truth = validation(result)
    model, card = load_model(result.folder / "weights" / "best.keras")
    assert card.provenance["epoch"] == result.best_epoch
    assert result.best["val_iou"] == pytest.approx(iou(card.class_ids(np.asarray(model(images))) == 1, truth), abs=1e-4)


def test_it_starts_from_a_network_without_and_keeps_its_encoder(
    discs: Path, tmp_path: Path, networks: list[keras.Model]
) -> None:
    without = {**SETTINGS, "train__deep_supervision": False, "train__epochs": 1}
    earlier = fit(config_for(discs, tmp_path, **without))
    start = {"model__start": str(earlier.folder), "train__encoder_trainable": False, "train__epochs": 2}
    later = fit(config_for(discs, tmp_path, **{**SETTINGS, **start}))
    models = [load_model(run.folder / "weights" / "last.keras")[0] for run in (earlier, later)]
    for before, after in zip(*(model.weights for model in models), strict=True):
        same = bool(np.array_equal(before, after))
        assert same == before.path.startswith("encoder"), before.path
    assert networks[1].output_shape[-1] == 3


def test_a_stop_saves_the_plain_network_of_that_moment(
    discs: Path, tmp_path: Path, networks: list[keras.Model]
) -> None:
    class Impatient(Listener):
        def step(self, epoch: int, step: int, steps: int, images_per_s: float, loss: float) -> None:
            if (epoch, step) == (2, 2):
                os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted):
        fit(config_for(discs, tmp_path, train__epochs=9, **SETTINGS), reporter=Impatient())
    model, _ = load_model(next(tmp_path.rglob("last.keras")))
    images = np.random.default_rng(0).uniform(0, 255, (1, 32, 32, 3)).astype(np.float32)
    logits = np.asarray(networks[0](images, training=False))[..., 0]
    np.testing.assert_allclose(model(images)[..., 0], 1 / (1 + np.exp(-logits)), atol=1e-5)


def test_mixed_precision_with_several_classes(tmp_path: Path, networks: list[keras.Model]) -> None:
    data = draw_discs(tmp_path / "data", 12)
    for path in (data / "masks").iterdir():
        upper = np.arange(32)[:, None] < 16
        Image.fromarray((np.asarray(Image.open(path)) // 255 * np.where(upper, 1, 2)).astype(np.uint8)).save(path)
    values = {0: "ground", 1: "upper", 2: "lower"}
    classes = {"data__classes": list(values.values()), "data__values": values}
    settings = {**SETTINGS, **classes, "train__precision": "mixed_bfloat16", "train__epochs": 2}
    result = fit(config_for(data, tmp_path, **{**settings, "train__loss": "cross_entropy + dice"}))
    assert networks[0].output_shape[-1] == 9
    assert all(np.isfinite(row["loss"]) for row in result.rows)
    model, card = load_model(result.folder / "weights" / "last.keras")
    assert (card.channels, model.output_shape[-1]) == (3, 3)
    assert {str(weight.dtype) for weight in model.weights} == {"float32"}


class Deaf(Reporter):
    def reading(self, done: int, total: int) -> None:
        raise AssertionError("the data are being read")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"model__arch": "deeplabv3plus"},
            r"train\.deep_supervision: the decoder has no coarser levels to supervise; expected false with "
            r"deeplabv3plus; found true; set model\.arch to unet or unetplusplus, or leave it out",
        ),
        ({"model__widths": [4]}, r"expected false with unet of one level; found true; set more model\.widths, or"),
    ],
)
def test_a_decoder_without_levels_is_told_before_the_data_are_read(
    settings: dict[str, Any], message: str, discs: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=message):
        fit(config_for(discs, tmp_path, **{**SETTINGS, **settings}), reporter=Deaf())
