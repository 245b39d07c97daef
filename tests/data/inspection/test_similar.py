"""Copies are found; pictures that are merely alike are not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from kseg.data.inspection.similar import Fingerprint, fingerprint, groups
from kseg.images import read_image
from kseg.parallel import parallel_map

Image = np.ndarray


def scene(seed: int, size: tuple[int, int] = (120, 160)) -> Image:
    """A few shapes on a gradient, with a little noise: structure at all scales, as a photograph has it."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[: size[0], : size[1]] / max(size)
    image = np.stack([60 + 90 * (rows * rng.uniform(-1, 1) + columns * rng.uniform(-1, 1)) for _ in range(3)], -1)
    image = np.clip(image, 20, 200).astype(np.uint8)
    for _ in range(14):
        at = (int(rng.integers(0, size[1])), int(rng.integers(0, size[0])))
        cv2.circle(image, at, int(rng.integers(4, 30)), rng.integers(20, 235, 3).tolist(), -1, cv2.LINE_AA)
    return np.clip(image + rng.normal(0, 2, image.shape), 0, 255).astype(np.uint8)


def jpeg(image: Image, quality: int) -> Image:
    coded = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.ascontiguousarray(cv2.imdecode(coded, cv2.IMREAD_COLOR)[..., ::-1])


def scaled(image: Image, factor: float, how: int = cv2.INTER_AREA) -> Image:
    return cv2.resize(image, None, fx=factor, fy=factor, interpolation=how)


def lit(image: Image, gain: float, offset: float) -> Image:
    return np.clip(image * gain + offset, 0, 255).astype(np.uint8)


COPIES: dict[str, Callable[[Image], Image]] = {
    "the same": lambda image: image.copy(),
    "half": lambda image: scaled(image, 0.5),
    "0.7": lambda image: scaled(image, 0.7, cv2.INTER_CUBIC),
    "twice": lambda image: scaled(image, 2, cv2.INTER_LINEAR),
    "jpeg": lambda image: jpeg(image, 50),
    "brighter": lambda image: lit(image, 1.06, 6),
    "stretched": lambda image: cv2.resize(image, (200, 120)),
    "duller": lambda image: lit(image, 0.85, 10),
    "all": lambda image: jpeg(lit(scaled(image, 0.6), 1.04, 3), 75),
}


@pytest.mark.parametrize("name", COPIES)
def test_copies_are_found(name: str) -> None:
    found = 0
    for seed in range(20):
        image = scene(seed)
        prints = [fingerprint(picture) for picture in (scene(seed + 100), image, COPIES[name](image))]
        found += groups(prints) == [[1, 2]]
    assert found >= 19


def moved(image: Image) -> Image:
    """A frame later: something has moved, and all else stands still."""
    later = image.copy()
    cv2.rectangle(later, (70, 50), (80, 75), (240, 30, 30), -1)
    return later


OTHERS: dict[str, Callable[[Image], Image]] = {
    "something moved": moved,
    "the camera moved": lambda image: np.roll(image, 7, axis=1),
    "mirrored": lambda image: image[:, ::-1],
    "negative": lambda image: 255 - image,
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_pictures_are_not(name: str) -> None:
    for seed in range(20):
        image = scene(seed)
        assert groups([fingerprint(image), fingerprint(np.ascontiguousarray(OTHERS[name](image)))]) == []


def test_different_pictures_are_not() -> None:
    assert groups([fingerprint(scene(seed)) for seed in range(200)]) == []


def test_three_alike_are_one_group_in_any_order() -> None:
    pictures = [scene(1), scene(2), jpeg(scene(1), 80), scene(3), scaled(scene(1), 0.8), scaled(scene(3), 0.8)]
    prints = [fingerprint(image) for image in pictures]
    assert groups(prints) == [[0, 2, 4], [3, 5]]
    order = [5, 3, 4, 1, 0, 2]
    assert groups([prints[i] for i in order]) == [[0, 1], [2, 4, 5]]


@pytest.mark.parametrize("size", [(1, 1), (8, 8), (3, 500)])
def test_tiny_and_blank_pictures(size: tuple[int, int]) -> None:
    black, white = (np.full((*size, 3), value, np.uint8) for value in (0, 255))
    assert groups([fingerprint(black), fingerprint(white), fingerprint(black)]) == [[0, 2]]


def test_nothing() -> None:
    assert groups([]) == []


def test_a_fingerprint_is_small_and_plain() -> None:
    one = fingerprint(scene(0))
    assert one == Fingerprint(one.hash, one.grey)
    assert (len(one.hash), len(one.grey)) == (8, 32 * 32)
    assert hash(one) == hash(fingerprint(scene(0)))


def test_the_hash_is_phashs() -> None:
    """Against a cosine transform of SciPy's."""
    from scipy.fft import dctn

    image = scene(4)
    grey = cv2.resize(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), (32, 32), interpolation=cv2.INTER_AREA)
    low = dctn(grey.astype(float), norm="ortho")[1:9, 1:9]
    assert fingerprint(image).hash == np.packbits(low > np.median(low)).tobytes()


@pytest.mark.real
@pytest.mark.parametrize(
    ("folders", "found", "pictures"),
    [
        (("portraits/source360",), 21, 46),  # 17 groups of the same pixels, 4 of copies scaled or compressed
        (("camvid/train", "camvid/val", "camvid/test"), 0, 0),  # frames of videos, many from a standing car
        (("membrane/images",), 0, 0),  # slices of one stack
        (("nuclei/images",), 0, 0),
        (("faces/images",), 0, 0),
        (("pets/images",), 0, 0),
    ],
)
def test_real_pictures(real_data: Path, folders: tuple[str, ...], found: int, pictures: int) -> None:
    """Every group was looked at: all are copies."""
    files = [file for folder in folders for file in sorted((real_data / folder).iterdir())]
    same = groups(parallel_map(lambda file: fingerprint(read_image(file)), files))
    assert (len(same), sum(map(len, same))) == (found, pictures)
