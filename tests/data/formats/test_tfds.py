"""TensorFlow Datasets, on a data set of generated pictures; needs the extra ``tfds``."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kseg.data.find import find_dataset
from kseg.data.spec import DataSpec, Folders
from kseg.data.truth import read_truth
from kseg.errors import ConfigError
from kseg.images import read_image

VALUES: dict[int | str, str] = {1: "background", 2: "pet", 3: "ignore"}
SIZES = {"train": 6, "test": 3}


def picture(index: int) -> np.ndarray:
    return np.random.default_rng(index).integers(0, 256, (12, 16, 3), np.uint8)


def trimap(index: int) -> np.ndarray:
    mask = np.ones((12, 16, 1), np.uint8)
    mask[2 : 3 + index] = 2
    mask[10] = 3
    return mask


@pytest.fixture(scope="module")
def library() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("tensorflow_datasets", reason="needs the extra tfds")


@pytest.fixture(scope="module")
def root(library: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    class Shapes(library.core.GeneratorBasedBuilder):  # type: ignore[misc, name-defined]
        VERSION = library.core.Version("1.0.0")

        def _info(self) -> Any:
            features = {
                "image": library.features.Image(shape=(None, None, 3), encoding_format="png"),
                "segmentation_mask": library.features.Image(shape=(None, None, 1)),
                "label": library.features.ClassLabel(names=["a", "b"]),
            }
            return library.core.DatasetInfo(
                builder=self, features=library.features.FeaturesDict(features), disable_shuffling=True
            )

        def _split_generators(self, _: Any) -> Any:
            return {name: self._generate_examples(count) for name, count in SIZES.items()}

        def _generate_examples(self, count: int) -> Any:
            for i in range(count):
                yield i, {"image": picture(i), "segmentation_mask": trimap(i), "label": 0}

    folder = tmp_path_factory.mktemp("tfds")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        Shapes(data_dir=str(folder)).download_and_prepare()
    return folder


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KSEG_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def find(root: Path, **settings: Any) -> Any:
    return find_dataset(DataSpec(root=root, format="tfds", **{"annotations": "shapes", "values": VALUES, **settings}))


@pytest.mark.filterwarnings("ignore")
class TestTfds:
    def test_examples_in_their_splits(self, root: Path) -> None:
        dataset = find(root)
        assert {name: len(samples) for name, samples in dataset.splits.items()} == {"train": 5, "val": 1, "test": 3}
        samples = [*dataset.samples("train"), *dataset.samples("val")]  # a part of train validates
        for index, sample in enumerate(sorted(samples, key=lambda sample: sample.key)):
            np.testing.assert_array_equal(read_image(sample.image), picture(index))
            expected = np.select([trimap(index) == 1, trimap(index) == 2], [0, 1], 255)[..., 0]
            np.testing.assert_array_equal(read_truth(sample, dataset.labels), expected)

    def test_slices_of_splits(self, root: Path) -> None:
        split = Folders(train="train[:4]", val="train[4:]", test="test")
        dataset = find(root, split=split)
        assert [len(dataset.splits[name]) for name in ("train", "val", "test")] == [4, 2, 3]
        np.testing.assert_array_equal(read_image(dataset.samples("val")[0].image), picture(4))

    def test_what_is_written_stays(self, root: Path, cache: Path) -> None:
        find(root)
        files = {path: path.stat().st_mtime_ns for path in cache.rglob("*.png")}
        assert len(files) == 2 * 9
        gone = sorted(files)[3]
        gone.unlink()
        find(root)
        after = {path: path.stat().st_mtime_ns for path in cache.rglob("*.png")}
        assert set(after) == set(files)
        changed = {path for path in files if after[path] != files[path]}
        assert gone in changed
        assert len(changed) <= 2

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"annotations": "shaeps"}, r"data\.annotations: no such data set; .*found 'shaeps'"),
            ({"annotations": None}, r"data\.annotations: no data set is named"),
            ({"masks": "label"}, r"data\.masks: no feature for the masks; expected one of image, segmentation_mask"),
            ({"split": Folders(train="trian", val="", test="")}, r"no such split; .*'trian'"),
        ],
    )  # fmt: skip
    def test_a_wrong_configuration(self, root: Path, settings: dict[str, Any], message: str) -> None:
        with pytest.raises(ConfigError, match=message):
            find(root, **settings)


def test_without_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(ConfigError, match=r"data\.format: tfds: needs tensorflow_datasets.*pip install 'kseg\[tfds\]'"):
        find(tmp_path)
