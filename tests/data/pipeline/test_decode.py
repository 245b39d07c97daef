"""Samples decoded in TensorFlow's graph are what kseg's own reader makes of their files."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from kseg.augment import parse
from kseg.data.pipeline.arrays import Streamed, load_packed
from kseg.data.pipeline.batches import data_errors, train_batches
from kseg.data.pipeline.fetch import fetcher
from kseg.data.pipeline.transforms.apply import augment_sample
from kseg.data.pipeline.transforms.fetch import Fetch
from kseg.data.sample import Sample
from kseg.errors import DataError
from kseg.labels import LabelMap

LABELS = LabelMap(("background", "object"), {0: "background", 7: "object", 255: "ignore"})
SIZE = (40, 56)


def scene(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """A photograph of sorts: soft colours, sharp shapes, some grain; and a mask."""
    rng = np.random.default_rng(0)
    soft = cv2.resize(rng.integers(40, 200, (5, 6, 3), np.uint8), (width, height), interpolation=cv2.INTER_CUBIC)
    mask = np.zeros((height, width), np.uint8)
    cv2.circle(mask, (width // 3, height // 2), height // 4, 7, cv2.FILLED)
    mask[-height // 8 :] = 255
    picture = soft + np.where(mask[..., np.newaxis] == 7, (30, -20, 10), 0) + rng.normal(0, 4, (height, width, 3))
    return np.clip(picture, 0, 255).astype(np.uint8), mask


def write_sample(folder: Path, height: int, width: int, form: str = "jpg", mask_form: str = "L") -> Sample:
    image, mask = scene(height, width)
    picture = Image.fromarray(image)
    path, truth = folder / f"a.{form.partition(' ')[0]}", folder / "a_mask.png"
    if form == "jpg turned":
        exif = Image.Exif()
        exif[0x0112] = 6
        picture.save(path, quality=95, exif=exif)
        mask = np.rot90(mask, -1)
    elif form == "jpg cmyk":
        picture.convert("CMYK").save(path, quality=95)
    elif form == "jpg gray":
        picture.convert("L").save(path, quality=95)
    else:
        picture.save(path, **({"quality": 95} if form == "jpg" else {}))
    if mask_form == "P":
        drawn = Image.fromarray(np.ascontiguousarray(mask), "L")
        drawn.putpalette(list(range(256)) * 3)
        drawn.save(truth)
    else:
        cv2.imwrite(str(truth), mask.astype(np.uint16 if mask_form == "I" else np.uint8))
    return Sample("a", path, truth)


def fetched(sample: Sample, size: tuple[int, int] = SIZE) -> tuple[np.ndarray, np.ndarray]:
    packed = fetcher(Streamed((sample,), LABELS, size)).full(tf.constant(0, tf.int64)).numpy()
    return packed, load_packed(sample, LABELS, size)


@pytest.mark.parametrize(("height", "width"), [(60, 75), (90, 130), (47, 57), (30, 200), (20, 30), (40, 56)])
def test_a_plain_jpeg_is_what_the_reader_makes_of_it(tmp_path: Path, height: int, width: int) -> None:
    graph, python = fetched(write_sample(tmp_path, height, width))
    apart = np.abs(graph[..., :3].astype(int) - python[..., :3])
    assert apart.max() <= 2
    assert apart.mean() < 0.2
    np.testing.assert_array_equal(graph[..., 3], python[..., 3])


@pytest.mark.parametrize(("height", "width"), [(170, 230), (400, 600), (1000, 1500)])
def test_a_large_jpeg_is_decoded_small_and_looks_the_same(tmp_path: Path, height: int, width: int) -> None:
    graph, python = fetched(write_sample(tmp_path, height, width))
    apart = np.abs(graph[..., :3].astype(int) - python[..., :3])
    assert 0 < apart.mean() < 1.5
    assert np.percentile(apart, 99) < 12


@pytest.mark.parametrize("form", ["png", "gif", "bmp", "jpg turned", "jpg cmyk", "jpg gray"])
def test_other_pictures_are_read_in_python(tmp_path: Path, form: str) -> None:
    graph, python = fetched(write_sample(tmp_path, 90, 130, form))
    np.testing.assert_array_equal(graph[..., :3], python[..., :3])


@pytest.mark.parametrize("mask_form", ["L", "P", "I"])
def test_masks_of_any_kind(tmp_path: Path, mask_form: str) -> None:
    graph, python = fetched(write_sample(tmp_path, 90, 130, mask_form=mask_form))
    assert set(np.unique(graph[..., 3])) == {0, 1, 255}
    np.testing.assert_array_equal(graph[..., 3], python[..., 3])


@pytest.mark.parametrize("form", ["jpg", "png"])
def test_a_part_is_cut_out_of_the_full_picture(tmp_path: Path, form: str) -> None:
    sample = write_sample(tmp_path, 400, 600, form)
    fetch = fetcher(Streamed((sample,), LABELS, SIZE))
    assert fetch.crop is not None
    part = fetch.crop(tf.constant(0, tf.int64), lambda _: tf.constant([0.25, 0.1, 0.1, 0.14])).numpy()
    image, mask = np.asarray(Image.open(sample.image).convert("RGB")), np.asarray(Image.open(sample.mask))
    window = np.s_[100:140, 60:144]
    expected = cv2.resize(image[window], (56, 40), interpolation=cv2.INTER_AREA)
    assert np.abs(part[..., :3].astype(int) - expected).max() <= 3
    truth = cv2.resize(mask[window], (56, 40), interpolation=cv2.INTER_NEAREST) == 7
    assert (part[..., 3] == truth).mean() > 0.97


def sharpness(image: np.ndarray) -> float:
    """How much neighbouring pixels differ."""
    return float(np.abs(cv2.Laplacian(image.astype(np.float32), cv2.CV_32F)).mean())


def test_a_crop_that_comes_first_is_sharp_and_about_the_same_place(tmp_path: Path) -> None:
    """Cut from the file or from the reduced picture: the same part, but for its sharpness."""
    sample = write_sample(tmp_path, 400, 600)
    crop = parse([{"random_resized_crop": {"area": [0.05, 0.3]}}])
    whole = load_packed(sample, LABELS, SIZE)
    for number in range(4):
        batches = train_batches(Streamed((sample,), LABELS, SIZE), batch=1, seed=3, augment=crop, start=number)
        images, masks = next(iter(batches))
        image, mask = augment_sample(whole[..., :3], whole[..., 3], crop, seed=3, number=number)
        assert np.abs(images.numpy()[0] - image.numpy()).mean() < 8
        assert (masks[0].numpy() == mask.numpy()).mean() > 0.9
        assert sharpness(images[0].numpy()) > 1.4 * sharpness(image.numpy())


def test_a_crop_about_objects_finds_them_in_the_files(tmp_path: Path) -> None:
    sample = write_sample(tmp_path, 400, 600)
    crop = parse([{"random_resized_crop": {"area": [0.02, 0.04], "foreground": 1.0}}])
    batches = train_batches(Streamed((sample,), LABELS, SIZE), batch=12, seed=3, augment=crop)
    _, masks = next(iter(batches))
    assert (masks.numpy() == 1).any(axis=(1, 2)).all()


def test_a_value_that_the_labels_do_not_name_is_told(tmp_path: Path) -> None:
    sample = write_sample(tmp_path, 60, 75)
    cv2.imwrite(str(sample.mask), np.full((60, 75), 9, np.uint8))
    expected = r"a_mask\.png: the mask holds values that data\.values does not name; found 9"
    with pytest.raises(DataError, match=expected), data_errors():
        next(iter(train_batches(Streamed((sample,), LABELS, SIZE), batch=1, seed=0, augment=parse("none"))))


def test_a_fetch_of_wholes_alone_serves_crops_too() -> None:
    assert Fetch(lambda index: index).crop is None
