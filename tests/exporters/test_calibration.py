"""The images that a quantiser is calibrated on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kseg.data.dataset import Dataset
from kseg.data.sample import Sample
from kseg.errors import DataError, ImageError, UsageError
from kseg.exporters import calibration
from kseg.exporters.calibration import calibration_images, choose_samples
from kseg.images import mean_brightness, read_image, write_jpeg, write_png
from kseg.labels import LabelMap
from tests.tiny_run import SIZE

CLASSES = 6
LABELS = LabelMap(("background", *(f"class {k}" for k in range(1, CLASSES))))


def draw(folder: Path, seed: int, count: int = 60) -> tuple[list[Sample], list[int], list[set[int]]]:
    """Small images of random brightness whose masks hold random classes, the last ones seldom."""
    rng = np.random.default_rng(seed)
    samples, brightness, classes = [], [], []
    for i in range(count):
        level = int(rng.integers(20, 236))
        ids = np.zeros((8, 8), np.uint8)
        present = {k for k in range(1, CLASSES) if rng.random() < 0.5 / k**2}
        for k in present:
            ids[k, : 1 + k] = k
        ids[0, 0] = 255  # unknown, which is no class
        sample = Sample(f"{i:03d}", image := folder / f"{i:03d}.png", mask := folder / f"{i:03d}_mask.png")
        write_png(image, np.full((8, 8, 3), level, np.uint8))
        write_png(mask, ids)
        samples.append(sample)
        brightness.append(level)
        classes.append({0, *present})
    return samples, brightness, classes


@pytest.fixture
def labels() -> LabelMap:
    return LabelMap(LABELS.names, {**dict(enumerate(LABELS.names)), 255: "ignore"})


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("count", [24, 40])
def test_all_classes_and_the_extremes_of_brightness_are_among_them(
    tmp_path: Path, labels: LabelMap, seed: int, count: int
) -> None:
    samples, brightness, classes = draw(tmp_path, seed)
    chosen = [int(sample.key) for sample in choose_samples(samples, labels, count)]
    assert len(set(chosen)) == count
    assert chosen == sorted(chosen)
    for k in range(CLASSES):
        images = {i for i, present in enumerate(classes) if k in present}
        assert len(images.intersection(chosen)) >= min(3, len(images)), f"class {k}"
    levels = sorted(brightness)
    assert sorted(brightness[i] for i in chosen)[:2] == levels[:2]
    assert sorted(brightness[i] for i in chosen)[-2:] == levels[-2:]


def test_the_same_images_are_chosen_every_time_and_the_rest_is_spread_evenly(tmp_path: Path, labels: LabelMap) -> None:
    samples, *_ = draw(tmp_path, 0)
    chosen = choose_samples(samples, labels, 40)
    assert choose_samples(samples, labels, 40) == chosen
    gaps = np.diff([int(sample.key) for sample in chosen])
    assert gaps.max() <= 4


def test_of_a_large_training_split_some_evenly_spread_images_are_read(
    tmp_path: Path, labels: LabelMap, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples, *_ = draw(tmp_path, 0)
    monkeypatch.setattr(calibration, "CANDIDATES", 30)
    looked_at: list[tuple[int, int]] = []
    chosen = choose_samples(samples, labels, 24, lambda *n: looked_at.append(n))
    assert looked_at[-1] == (30, 30)
    assert len(chosen) == 24
    assert int(chosen[-1].key) > 50, "of the whole list"


def test_images_are_those_of_the_training_at_the_networks_size(dataset: Dataset) -> None:
    images = calibration_images(dataset, 1000, SIZE)
    assert [image.shape for image in images] == [(*SIZE, 3)] * len(dataset.samples("train"))
    assert all(image.dtype == np.uint8 for image in images)
    assert len(calibration_images(dataset, 10, SIZE)) == 10


def test_too_few_images_are_refused(dataset: Dataset) -> None:
    with pytest.raises(UsageError) as caught:
        calibration_images(dataset, 1, SIZE)
    assert str(caught.value) == (
        "--calibration-images: too few images to calibrate a quantiser; expected at least 8; found 1; "
        "leave it out for 100"
    )


def test_too_few_training_images_are_refused(dataset: Dataset) -> None:
    few = replace(dataset, splits={**dataset.splits, "train": dataset.samples("train")[:7]})
    with pytest.raises(DataError) as caught:
        calibration_images(few, 100, SIZE)
    assert str(caught.value) == (
        f"{dataset.root}: too few training images to calibrate a quantiser; expected at least 8; found 7; "
        "use --quantize none, fp16 or dynamic, which need no images, or --data with the data that the model was "
        "trained on"
    )


def test_fewer_images_than_the_classes_need_are_refused_and_the_remedy_works(tmp_path: Path, labels: LabelMap) -> None:
    samples, *_ = draw(tmp_path, 3)
    with pytest.raises(UsageError) as caught:
        choose_samples(samples, labels, 8)
    needed = int(str(caught.value).rsplit(" ", 1)[1])
    assert str(caught.value) == (
        f"--calibration-images: too few images to calibrate on all 6 classes; expected at least {needed}; found 8; "
        f"use --calibration-images {needed}"
    )
    assert len(choose_samples(samples, labels, needed)) == needed


def test_brightness_of_a_jpeg_is_that_of_its_pixels(tmp_path: Path) -> None:
    ramp = np.repeat(np.linspace(10, 200, 333).astype(np.uint8)[:, None, None], 3, 2).repeat(250, 1)
    for path in (tmp_path / "ramp.jpg", tmp_path / "ramp.png"):
        (write_jpeg if path.suffix == ".jpg" else write_png)(path, ramp)
        assert mean_brightness(path) == pytest.approx(read_image(path).mean(), abs=1.0)
    with pytest.raises(ImageError, match="no such file"):
        mean_brightness(tmp_path / "none.jpg")
