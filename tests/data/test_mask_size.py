"""Masks of another size than their images: what the check suggests, and what `data.mask_size: scaled` makes of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from kseg.data.dataset import Dataset
from kseg.data.find import find_dataset
from kseg.data.formats.index_masks import write_masks
from kseg.data.inspection.findings import Finding
from kseg.data.inspection.inspect import check_dataset, inspect_data
from kseg.data.pipeline.arrays import Streamed, load_arrays
from kseg.data.pipeline.batches import eval_batches
from kseg.data.pipeline.cache import fill_cache
from kseg.data.pipeline.fetch import fetcher
from kseg.data.spec import DataSpec
from kseg.data.truth import read_truth
from kseg.errors import DataError
from kseg.evaluation import evaluate
from kseg.images import read_mask, write_jpeg, write_png
from kseg.inference import Predictor
from tests.data.pipeline.test_decode import scene
from tests.inference.artifacts import RED

IMAGE = (48, 64)
SMALLER = (43, 58)
"""Deviates by 1.2 % from the shape of `IMAGE`."""
LARGER = (96, 128)
TALLER = (48, 60)


def make(root: Path, *masks: tuple[int, int], image: tuple[int, int] = IMAGE) -> Path:
    """JPEGs of one size, with grey PNG masks of these sizes."""
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for number, size in enumerate(masks):
        write_jpeg(root / "images" / f"{number:02d}.jpg", np.roll(scene(*image)[0], 7 * number, axis=1))
        write_png(root / "masks" / f"{number:02d}.png", np.where(scene(*size)[1] == 7, 7, 0).astype(np.uint8))
    return root


def spec(root: Path, **settings: object) -> DataSpec:
    values = {0: "background", 7: "object"}
    return DataSpec(root, **{"classes": ("background", "object"), "values": values, **settings})


def findings(spec_: DataSpec) -> dict[str, Finding]:
    return {finding.code: finding for finding in inspect_data(spec_).findings}


def resized(mask: Path, size: tuple[int, int]) -> np.ndarray:
    return cv2.resize(read_mask(mask), size[::-1], interpolation=cv2.INTER_NEAREST_EXACT)


def test_the_check_suggests_to_scale(tmp_path: Path) -> None:
    finding = findings(spec(make(tmp_path, SMALLER, IMAGE, LARGER)))["mask-scale"]
    assert finding.severity == "error"
    assert finding.what == (
        "2 of 3 masks have another size than their images, but the same shape (largest deviation 1.2%)"
    )
    assert sorted(finding.files) == ["00", "02"]
    assert "00 (image 48×64, mask 43×58)" in str(finding.found)
    assert "02 (image 48×64, mask 96×128)" in str(finding.found)
    assert dict(finding.fix) == {"data.mask_size": "scaled"}


def test_masks_of_another_shape_are_reported_on_their_own(tmp_path: Path) -> None:
    by_code = findings(spec(make(tmp_path, SMALLER, TALLER, IMAGE)))
    assert by_code["mask-scale"].files == ("00",)
    assert by_code["size-mismatch"].files == ("01",)
    assert by_code["size-mismatch"].found == "01 (image 48×64, mask 48×60)"


def test_the_suggestion_followed_passes_the_check(tmp_path: Path) -> None:
    root = make(tmp_path, SMALLER, IMAGE, LARGER)
    scaled = spec(root, mask_size="scaled")
    inspection = inspect_data(scaled)
    assert inspection.errors == []
    dataset = find_dataset(scaled)
    report = check_dataset(dataset, scaled)
    pixels = sum(int((resized(sample.files[1], IMAGE) == 7).sum()) for sample in dataset.samples("all"))
    assert sum(counts[1] for counts in report.class_pixels.values()) == pixels


def test_a_training_stops_with_the_setting(tmp_path: Path) -> None:
    dataset = find_dataset(spec(make(tmp_path, SMALLER, IMAGE, LARGER)))
    with pytest.raises(DataError, match=r"2 of 3 masks have another size .*; add data\.mask_size: scaled$"):
        check_dataset(dataset)


def test_masks_of_another_shape_are_not_scaled(tmp_path: Path) -> None:
    scaled = spec(make(tmp_path, SMALLER, TALLER, IMAGE), mask_size="scaled")
    finding = findings(scaled)["size-mismatch"]
    assert finding.files == ("01",)
    (sample,) = [sample for sample in find_dataset(scaled).samples("all") if sample.key == "01"]
    expected = (
        f"{tmp_path / 'masks' / '01.png'}: the mask has another shape than its image; expected the aspect ratio of "
        "48×64 within 1.5%; found 48×60; draw it on this very image, or leave it out with data.exclude"
    )
    with pytest.raises(DataError) as error:
        read_truth(sample, find_dataset(scaled).labels)
    assert str(error.value) == expected
    assert error.value.exit_code == 1


def test_many_samples_are_not_left_out_unasked(tmp_path: Path) -> None:
    few = findings(spec(make(tmp_path, *[TALLER] * 2, *[IMAGE] * 38)))["size-mismatch"]
    assert sorted(few.fix["data.exclude"]) == ["00", "01"]
    assert dict(few.guess) == {}
    many = findings(spec(make(tmp_path, *[TALLER] * 3, *[IMAGE] * 37)))["size-mismatch"]
    assert dict(many.fix) == {}
    assert sorted(many.guess["data.exclude"]) == ["00", "01", "02"]
    for number in range(3):
        (tmp_path / "images" / f"{number:02d}.jpg").write_bytes(b"nothing")
    unreadable = findings(spec(tmp_path))["unreadable"]
    assert dict(unreadable.fix) == {}
    assert sorted(unreadable.guess["data.exclude"]) == ["00", "01", "02"]


def test_a_scaled_mask_on_a_turned_photograph(tmp_path: Path) -> None:
    """The mask was drawn on the stored pixels, and is smaller: first the orientation is suggested, then the size."""
    make(tmp_path, (24, 32), (24, 32), (24, 32))
    for image in (tmp_path / "images").iterdir():
        exif = Image.Exif()
        exif[0x0112] = 6
        Image.open(image).save(image, exif=exif)
    finding = findings(spec(tmp_path))["exif"]
    assert dict(finding.fix) == {"data.mask_orientation": "image"}
    finding = findings(spec(tmp_path, mask_orientation="image"))["mask-scale"]
    assert dict(finding.fix) == {"data.mask_size": "scaled"}
    done = spec(tmp_path, mask_orientation="image", mask_size="scaled")
    assert inspect_data(done).errors == []
    sample = find_dataset(done).samples("all")[0]
    upright = np.rot90(resized(sample.files[1], IMAGE), -1) == 7
    np.testing.assert_array_equal(read_truth(sample, find_dataset(done).labels), upright)


@pytest.mark.parametrize("size", [IMAGE, (17, 25), (70, 90)])
def test_every_store_scales_alike(tmp_path: Path, size: tuple[int, int]) -> None:
    """To the image's size, then to the network's, both by nearest neighbour."""
    dataset = find_dataset(spec(make(tmp_path, SMALLER, IMAGE, LARGER), mask_size="scaled"))
    samples = tuple(sorted(dataset.samples("all"), key=lambda sample: sample.key))
    stores = (
        load_arrays(samples, dataset.labels, size),
        fill_cache(samples, dataset.labels, size, folder=tmp_path / "cache"),
        Streamed(samples, dataset.labels, size),
    )
    for store in stores:
        _, masks = next(iter(eval_batches(store, batch=3)))
        for mask, sample in zip(masks.numpy(), samples, strict=True):
            full = resized(sample.files[1], IMAGE)
            expected = cv2.resize(full, size[::-1], interpolation=cv2.INTER_NEAREST_EXACT) == 7
            np.testing.assert_array_equal(mask, expected)


def test_a_crop_is_the_same_part_of_image_and_mask(tmp_path: Path) -> None:
    dataset = find_dataset(spec(make(tmp_path, SMALLER, IMAGE, LARGER), mask_size="scaled"))
    samples = dataset.samples("all")
    crop = fetcher(Streamed(samples, dataset.labels, (24, 32))).crop
    assert crop is not None
    for index, sample in enumerate(samples):
        part = crop(tf.constant(index, tf.int64), lambda _: tf.constant([0.25, 0.25, 0.5, 0.5]))[..., 3].numpy()
        expected = resized(sample.files[1], IMAGE)[12:36, 16:48] == 7
        assert (part == expected).mean() > 0.95


def test_the_record_of_a_data_set_has_it(tmp_path: Path) -> None:
    dataset = find_dataset(spec(make(tmp_path, SMALLER, IMAGE, LARGER), mask_size="scaled"))
    dataset.save(tmp_path / "data.json")
    assert Dataset.load(tmp_path / "data.json") == dataset
    assert all(sample.scaled for sample in dataset.samples("all"))


def test_the_cache_tells_scaled_masks_from_others(tmp_path: Path) -> None:
    dataset = find_dataset(spec(make(tmp_path, SMALLER, IMAGE, LARGER), mask_size="scaled"))
    samples = dataset.samples("all")
    exact = [replace(sample, scaled=False) for sample in samples]
    files = [fill_cache(part, dataset.labels, (9, 9), folder=tmp_path / "c").files for part in (samples, exact)]
    assert not set(files[0]) & set(files[1])


def test_masks_are_written_at_the_images_size(tmp_path: Path) -> None:
    dataset = find_dataset(spec(make(tmp_path / "data", SMALLER, IMAGE, LARGER), mask_size="scaled"))
    assert len(write_masks(dataset, tmp_path / "out").written) == 3
    for sample in dataset.samples("all"):
        written = read_mask(tmp_path / "out" / "masks" / f"{sample.key}.png")
        np.testing.assert_array_equal(written, resized(sample.files[1], IMAGE) == 7)


def test_evaluation_scores_at_the_images_size(tmp_path: Path) -> None:
    dataset = find_dataset(spec(make(tmp_path, SMALLER, IMAGE, LARGER), mask_size="scaled"))
    everywhere = Predictor(lambda images: np.ones((*images.shape[:3], 1), np.float32), RED)
    scores = evaluate(everywhere, dataset.samples("all"), dataset.labels, boundary=False)
    truths = [resized(sample.files[1], IMAGE) == 7 for sample in dataset.samples("all")]
    assert scores.iou == pytest.approx(np.mean(truths))
