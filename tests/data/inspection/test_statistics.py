"""The statistics of a small data set, counted again by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kseg.data.dataset import Dataset
from kseg.data.find import find_dataset
from kseg.data.inspection import charts
from kseg.data.inspection.charts import draw_statistics
from kseg.data.inspection.inspect import check_dataset
from kseg.data.inspection.statistics import Statistics, summarize
from kseg.data.pipeline.balance import class_weights
from kseg.data.spec import DataSpec, Fractions
from tests.data.folders import write
from tests.drawn_figures import watch_figures

SIZES = [(10, 20)] * 4 + [(30, 12)] * 3 + [(16, 16)] * 3
VALUES: dict[int | str, str] = {0: "background", 1: "one", 2: "two", 255: "ignore"}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    root = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    for i, size in enumerate(SIZES):
        mask = np.zeros(size, np.uint8)
        mask[0] = 1
        mask[1, : 1 + i] = 2 if i % 2 else 0
        mask[2] = 255
        write(root / "masks" / f"{i}.png", mask)
        write(root / "images" / f"{i}.png", rng.integers(0, 25 * (i + 1), (*size, 3), np.uint8))
    return find_dataset(DataSpec(root=root, values=VALUES, split=Fractions(0.6, 0.4, 0.0)))


@pytest.fixture(scope="module")
def statistics(dataset: Dataset) -> Statistics:
    return summarize(dataset, check_dataset(dataset))


def test_shares_are_those_of_the_masks(dataset: Dataset, statistics: Statistics) -> None:
    assert statistics.images == {"train": 6, "val": 4}, "an empty split is left out"
    for split, samples in dataset.splits.items():
        if not samples:
            continue
        masks = [np.asarray(Image.open(str(sample.mask))) for sample in samples]
        pixels = np.concatenate([mask.ravel() for mask in masks])
        known = pixels[pixels != 255]
        np.testing.assert_allclose(statistics.pixel_share[split], [(known == k).mean() for k in range(3)])
        np.testing.assert_allclose(
            statistics.image_share[split], [np.mean([(mask == k).any() for mask in masks]) for k in range(3)]
        )
        assert statistics.ignored[split] == pytest.approx((pixels == 255).mean())


def test_sizes(statistics: Statistics) -> None:
    heights, widths = zip(*SIZES, strict=True)
    assert statistics.sides() == {
        "height": (min(heights), float(np.median(heights)), max(heights)),
        "width": (min(widths), float(np.median(widths)), max(widths)),
    }
    assert statistics.commonest()[0] == ((10, 20), 4)
    assert dict(statistics.commonest()) == {(10, 20): 4, (30, 12): 3, (16, 16): 3}


def test_channels_are_those_of_all_training_pixels(dataset: Dataset, statistics: Statistics) -> None:
    """Of the pixels, not of the pictures' means; of pictures of several sizes."""
    pictures = [np.asarray(Image.open(sample.image), np.float64) for sample in dataset.samples("train")]
    pixels = np.concatenate([picture.reshape(-1, 3) for picture in pictures])
    np.testing.assert_allclose(statistics.channel_mean, pixels.mean(0))
    np.testing.assert_allclose(statistics.channel_std, pixels.std(0))


def test_weights_are_those_of_a_training(dataset: Dataset, statistics: Statistics) -> None:
    masks = [np.asarray(Image.open(str(sample.mask))).ravel() for sample in dataset.samples("train")]
    pixels = np.array([[(mask == k).sum() for k in range(3)] for mask in masks])
    assert set(statistics.weights) == {"inverse", "median", "effective"}
    for method, weights in statistics.weights.items():
        np.testing.assert_allclose(weights, class_weights(method, pixels))


def test_json_holds_everything(statistics: Statistics) -> None:
    data = json.loads(json.dumps(statistics.to_json()))
    assert data["images"] == {"train": 6, "val": 4}
    assert data["pixel_share"]["val"]["two"] == statistics.pixel_share["val"][2]
    assert data["class_weights"]["median"]["one"] == statistics.weights["median"][1]
    assert data["sizes"]["commonest"][0] == {"height": 10, "width": 20, "images": 4}
    assert data["sizes"]["different"] == 3
    assert data["channel_std"] == statistics.channel_std.tolist()


def test_the_picture_has_a_bar_for_each_number(
    statistics: Statistics, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = watch_figures(charts, monkeypatch)
    draw_statistics(tmp_path / "a.png", statistics)
    picture = np.asarray(Image.open(tmp_path / "a.png").convert("RGB"))
    assert min(picture.shape[:2]) >= 400
    assert picture.std() > 20
    pixels, images, weights, sizes, channels = (axes for part in drawn[0].subfigs for axes in part.axes)
    for axes, groups in (
        (pixels, statistics.pixel_share), (images, statistics.image_share), (weights, statistics.weights),
    ):  # fmt: skip
        bars = [bar.get_width() for bar in axes.patches]
        assert bars == pytest.approx([number for numbers in groups.values() for number in numbers])
    assert len(pixels.patches) == 2 * 3
    assert [label.get_text() for label in pixels.get_yticklabels()] == ["background", "one", "two"]
    assert {(y, x) for x, y in sizes.collections[0].get_offsets().tolist()} == set(SIZES)
    assert [bar.get_height() for bar in channels.patches] == pytest.approx(statistics.channel_mean.tolist())
