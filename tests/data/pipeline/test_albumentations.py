"""The hook for a pipeline of albumentations."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kseg.augment import Augment
from kseg.data.pipeline.arrays import Arrays
from kseg.data.pipeline.batches import data_errors, train_batches
from kseg.data.pipeline.transforms.albumentations import load_pipeline
from kseg.data.pipeline.transforms.apply import augment_sample
from kseg.data.sample import Sample
from kseg.errors import ConfigError, DataError


@pytest.fixture
def sample() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    mask = rng.integers(0, 2, (24, 32), np.uint8)
    return np.dstack([mask * 200] * 3), mask


def test_without_the_library_it_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "albumentations", None)
    expected = r"^augment\.albumentations: albumentations is not installed; pip install 'kseg\[albumentations\]'$"
    with pytest.raises(ConfigError, match=expected):
        load_pipeline(tmp_path / "a.yaml")


class TestInstalled:
    @pytest.fixture(autouse=True)
    def library(self, monkeypatch: pytest.MonkeyPatch) -> Any:
        monkeypatch.setenv("NO_ALBUMENTATIONS_UPDATE", "1")
        return pytest.importorskip("albumentations")

    @pytest.mark.parametrize("name", ["a.yaml", "a.json"])
    def test_it_runs_in_place_of_the_transforms(
        self, tmp_path: Path, sample: tuple[np.ndarray, np.ndarray], library: Any, name: str
    ) -> None:
        made = library.Compose([library.HorizontalFlip(p=0.5), library.Affine(rotate=(-30, 30), fill_mask=255, p=1.0)])
        library.save(made, tmp_path / name, data_format=name[-4:])
        augment = Augment(albumentations=tmp_path / name)
        seen = []
        for number in range(6):
            image, mask = augment_sample(*sample, augment, seed=1, number=number)
            again, _ = augment_sample(*sample, augment, seed=1, number=number)
            np.testing.assert_array_equal(image, again)
            assert image.shape == (24, 32, 3)
            assert 255 in mask.numpy()
            seen.append(image.numpy().tobytes())
        assert len(set(seen)) == 6
        data = Arrays(np.dstack(sample)[np.newaxis].repeat(3, axis=0), (Sample("a", Path("a"), None),) * 3)
        one, four = (train_batches(data, batch=4, seed=1, augment=augment, parallel=n).take(3) for n in (1, 4))
        for (images, masks), (same_images, same_masks) in zip(one, four, strict=True):
            np.testing.assert_array_equal(images, same_images)
            np.testing.assert_array_equal(masks, same_masks)

    def test_another_size_is_told(self, tmp_path: Path, sample: tuple[np.ndarray, np.ndarray], library: Any) -> None:
        library.save(library.Compose([library.Resize(8, 8)]), tmp_path / "a.yaml", data_format="yaml")
        data = Arrays(np.dstack(sample)[np.newaxis], (Sample("a", Path("a"), None),))
        batches = train_batches(data, batch=1, seed=1, augment=Augment(albumentations=tmp_path / "a.yaml"))
        with pytest.raises(DataError, match="changes the size of its samples; expected 24 × 32"), data_errors():
            next(iter(batches))

    @pytest.mark.parametrize(
        "content", ["", "[", "{}", json.dumps({"transform": {"__class_fullname__": "os.system", "cmd": "ls"}})]
    )
    def test_a_file_that_is_no_pipeline(self, tmp_path: Path, content: str) -> None:
        (tmp_path / "a.yaml").write_text(content)
        with pytest.raises(ConfigError, match=r"augment\.albumentations: not a pipeline of albumentations; expected"):
            load_pipeline(tmp_path / "a.yaml")
