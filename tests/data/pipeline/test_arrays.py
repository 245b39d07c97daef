from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kseg.data.find import find_dataset
from kseg.data.pipeline.arrays import load_arrays
from kseg.data.sample import Sample
from kseg.data.spec import DataSpec
from kseg.errors import DataError
from kseg.images import read_image, read_mask, resize_image, resize_mask
from kseg.labels import LabelMap
from tests.data.folders import make_pairs, write

BINARY = LabelMap(("background", "object"), {0: "background", 255: "object"})


def test_arrays_are_the_resized_files_in_order(tmp_path: Path) -> None:
    make_pairs(tmp_path, ["a", "b", "c"], values=(0, 255, 255))
    samples = find_dataset(DataSpec(root=tmp_path)).samples("all")
    seen: list[tuple[int, int]] = []
    arrays = load_arrays(
        samples, BINARY, (8, 20), workers=2, on_progress=lambda done, total: seen.append((done, total))
    )
    assert arrays.images.shape == (3, 8, 20, 3)
    assert arrays.images.dtype == arrays.masks.dtype == np.uint8
    assert arrays.packed.ctypes.data % 64 == 0, "TensorFlow would copy it"
    assert len(arrays) == 3
    assert arrays.size == (8, 20)
    assert arrays.samples == samples
    assert seen == [(1, 3), (2, 3), (3, 3)]
    for i, sample in enumerate(samples):
        assert sample.mask is not None
        np.testing.assert_array_equal(arrays.images[i], resize_image(read_image(sample.image), (8, 20)))
        np.testing.assert_array_equal(arrays.masks[i], resize_mask(read_mask(sample.mask), (8, 20)) // 255)


def test_a_value_that_the_labels_do_not_name(tmp_path: Path) -> None:
    make_pairs(tmp_path, ["a", "b"], values=(0, 255))
    samples = find_dataset(DataSpec(root=tmp_path)).samples("all")
    write(tmp_path / "masks" / "a.png", np.full((12, 16), 7, np.uint8))
    with pytest.raises(DataError, match=r"masks/a\.png: .*values that data\.values does not name; found 7"):
        load_arrays(samples, BINARY, (12, 16))


def test_a_sample_without_mask_and_a_file_that_went_away(tmp_path: Path) -> None:
    image = write(tmp_path / "a.png", np.zeros((4, 4, 3), np.uint8))
    with pytest.raises(DataError, match=r"a\.png: the sample has no mask"):
        load_arrays([Sample("a", image, None)], BINARY, (4, 4))
    with pytest.raises(DataError, match=r"b\.png: no such file"):
        load_arrays([Sample("b", tmp_path / "b.png", image)], BINARY, (4, 4))
