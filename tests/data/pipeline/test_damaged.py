"""Damaged files: both decoders read the same of them, or the check of the data refuses them by name."""

from __future__ import annotations

import io
import random
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from kseg.data.dataset import Dataset
from kseg.data.inspection.inspect import check_dataset
from kseg.data.pipeline.arrays import Streamed, load_packed
from kseg.data.pipeline.batches import data_errors, eval_batches
from kseg.data.pipeline.cache import fill_cache
from kseg.data.pipeline.fetch import fetcher
from kseg.data.sample import Sample
from kseg.errors import DataError
from kseg.labels import OTHER, LabelMap
from tests.data.pipeline.test_decode import scene

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL.*")

SIDES = (60, 75)
LABELS = LabelMap(("background", "object"), {0: "background", OTHER: "object"})
IMAGE, MASK = scene(*SIDES)


def encoded(array: np.ndarray, form: str, **options: object) -> bytes:
    data = io.BytesIO()
    Image.fromarray(array).save(data, form, **options)
    return data.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk of a PNG, with its checksum."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def damaged(content: bytes, *, cuts: int, flips: int, seed: int = 0) -> Iterator[bytes]:
    """The file itself; cut short, its end replaced by zeros, with bytes behind it; with single bytes wrong."""
    rng = random.Random(seed)
    yield content
    yield from (content[: len(content) * i // cuts] for i in range(1, cuts))
    yield from (content[:-missing] for missing in range(1, 13))
    yield from (content[:-missing] + bytes(100) for missing in (2, 3, 60))
    yield from (content + bytes(rng.randbytes(count)) for count in (1, 40))
    for position in rng.sample(range(len(content)), flips):
        yield content[:position] + bytes([content[position] ^ rng.randrange(1, 256)]) + content[position + 1 :]


def crafted_pngs() -> Iterator[bytes]:
    """Grey PNGs whose checksums are right, but something else is wrong."""
    head = encoded(MASK, "PNG")[:33]
    rows = b"".join(b"\0" + row.tobytes() for row in MASK)
    pixels, end = zlib.compress(rows), chunk(b"IEND", b"")
    bodies = (
        pixels[:-1] + bytes([pixels[-1] ^ 1]), pixels[:-4], pixels[: len(pixels) // 2], pixels + b"more", b"",
        zlib.compress(rows[:-30]), zlib.compress(rows + bytes(100)), zlib.compress(b"\x09" + rows[1:]),
    )  # fmt: skip
    yield from (head + chunk(b"IDAT", body) + end for body in bodies)
    for other in (chunk(b"PLTE", bytes(6)), chunk(b"ABCD", b"x"), chunk(b"abCd", b"x"), chunk(b"tRNS", bytes(2))):
        yield head + other + chunk(b"IDAT", pixels) + end
    yield head + chunk(b"IDAT", pixels[:9]) + chunk(b"tEXt", b"a\0b") + chunk(b"IDAT", pixels[9:]) + end
    yield head + head[8:] + chunk(b"IDAT", pixels) + end


def write_all(folder: Path, images: Sequence[bytes], masks: Sequence[bytes]) -> tuple[Sample, ...]:
    samples = []
    for number, (image, mask) in enumerate(zip(images, masks, strict=True)):
        sample = Sample(f"{number:04d}", folder / f"{number:04d}.jpg", folder / f"{number:04d}.png")
        sample.image.write_bytes(image)
        sample.files[1].write_bytes(mask)
        samples.append(sample)
    return tuple(samples)


def readable_and_refused(
    samples: Sequence[Sample], size: tuple[int, int]
) -> tuple[dict[Sample, np.ndarray], list[Sample]]:
    """The samples that kseg's own reader reads, with their pixels, and those that it refuses."""
    pixels, refused = {}, []
    for sample in samples:
        try:
            pixels[sample] = load_packed(sample, LABELS, size)
        except DataError:
            refused.append(sample)
    return pixels, refused


def decode_all(samples: Sequence[Sample], size: tuple[int, int]) -> Iterator[np.ndarray]:
    fetch = fetcher(Streamed(tuple(samples), LABELS, size))
    yield from tf.data.Dataset.range(len(samples)).map(fetch.full).as_numpy_iterator()


JPEGS: dict[str, Callable[[], bytes]] = {
    "baseline": lambda: encoded(IMAGE, "JPEG", quality=90),
    "progressive": lambda: encoded(IMAGE, "JPEG", quality=90, progressive=True),
    "restart markers": lambda: encoded(IMAGE, "JPEG", quality=90, restart_marker_blocks=4),
}


@pytest.mark.parametrize("kind", JPEGS)
@pytest.mark.parametrize(("size", "nearly_all"), [(SIDES, 1.0), ((9, 9), 0.95)])
def test_damaged_jpegs(tmp_path: Path, kind: str, size: tuple[int, int], nearly_all: float) -> None:
    """At 9×9 the JPEGs are decoded at 1/2 of their size, where colours that damage made impossible differ."""
    images = list(damaged(JPEGS[kind](), cuts=20, flips=200))
    samples = write_all(tmp_path, images, [encoded(MASK, "PNG")] * len(images))
    pixels, refused = readable_and_refused(samples, size)
    assert len(pixels) > 120
    assert len(refused) > 10
    decoded = decode_all(list(pixels), size)
    apart = [np.abs(a.astype(int) - b).mean() for a, b in zip(decoded, pixels.values(), strict=True)]
    assert np.mean(np.array(apart) < 2) >= nearly_all
    require_refused_by_name(refused, tmp_path)


def test_damaged_masks(tmp_path: Path) -> None:
    masks = [*damaged(encoded(MASK, "PNG"), cuts=20, flips=120), *crafted_pngs()]
    samples = write_all(tmp_path, [JPEGS["baseline"]()] * len(masks), masks)
    pixels, refused = readable_and_refused(samples, SIDES)
    assert len(pixels) > 20
    assert len(refused) > 60
    for actual, (sample, expected) in zip(decode_all(list(pixels), SIDES), pixels.items(), strict=True):
        np.testing.assert_array_equal(actual[..., 3], expected[..., 3], err_msg=sample.key)
    require_refused_by_name(refused, tmp_path)


def require_refused_by_name(refused: Sequence[Sample], root: Path) -> None:
    for sample in refused[:: max(1, len(refused) // 8)]:
        dataset = Dataset(root, LABELS, {"train": (sample,)})
        with pytest.raises(DataError, match=r"1 of 1 samples cannot be read") as error:
            check_dataset(dataset)
        assert any(str(file) in str(error.value) for file in sample.files)


def test_a_file_that_changes_while_it_is_streamed_is_read_anew(tmp_path: Path) -> None:
    (sample,) = write_all(tmp_path, [JPEGS["baseline"]()], [encoded(MASK, "PNG")])
    fetch = fetcher(Streamed((sample,), LABELS, SIDES))
    sample.image.write_bytes(JPEGS["baseline"]()[:-2] + bytes(100))
    sample.files[1].write_bytes(encoded(np.where(MASK, 0, 5).astype(np.uint8)[:30], "PNG"))
    expected = load_packed(sample, LABELS, SIDES)
    np.testing.assert_array_equal(fetch.full(tf.constant(0, tf.int64)).numpy(), expected)


@pytest.mark.parametrize("crop", [False, True])
@pytest.mark.parametrize("file", [0, 1])
def test_a_file_that_is_damaged_while_it_is_streamed_is_named(tmp_path: Path, file: int, crop: bool) -> None:
    (sample,) = write_all(tmp_path, [JPEGS["baseline"]()], [encoded(MASK, "PNG")])
    fetch = fetcher(Streamed((sample,), LABELS, SIDES))
    sample.files[file].write_bytes(sample.files[file].read_bytes()[:40])
    index = tf.constant(0, tf.int64)
    with pytest.raises(DataError, match=rf"^{sample.files[file]}: ") as error, data_errors():
        fetch.crop(index, lambda _: tf.constant([0.0, 0.0, 1.0, 1.0])) if crop and fetch.crop else fetch.full(index)
    assert error.value.exit_code == 1


def test_a_file_of_the_cache_that_is_cut_short_is_named(tmp_path: Path) -> None:
    samples = write_all(tmp_path, [JPEGS["baseline"]()], [encoded(MASK, "PNG")])
    cached = fill_cache(samples, LABELS, SIDES, folder=tmp_path / "cache")
    cached.files[0].write_bytes(cached.files[0].read_bytes()[:-30])
    expected = rf"^{cached.files[0]}: the file of the cache was changed; start again: it is written anew$"
    with pytest.raises(DataError, match=expected), data_errors():
        list(eval_batches(cached, batch=1).take(1))
