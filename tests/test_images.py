from __future__ import annotations

import itertools
import os
import shutil
import warnings
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import kseg.images
from kseg.errors import ImageError, OutputError
from kseg.images import (
    image_size,
    printable,
    read_image,
    read_mask,
    resize_image,
    resize_mask,
    resize_scores,
    write_index_png,
    write_jpeg,
    write_png,
)

ORIENTATION = 0x0112


@pytest.fixture
def picture() -> np.ndarray:
    rng = np.random.default_rng(0)
    return cv2.resize(rng.integers(0, 256, (5, 7, 3), np.uint8), (42, 30), interpolation=cv2.INTER_CUBIC)


def exif(orientation: int) -> bytes:
    data = Image.Exif()
    data[ORIENTATION] = orientation
    return data.tobytes()


def test_a_written_png_reads_back_exactly(tmp_path: Path, picture: np.ndarray) -> None:
    write_png(tmp_path / "a.png", picture)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), picture)


def test_a_written_jpeg_reads_back_nearly_and_in_rgb_order(tmp_path: Path) -> None:
    red = np.full((16, 16, 3), (250, 10, 10), np.uint8)
    write_jpeg(tmp_path / "a.jpg", red)
    np.testing.assert_allclose(read_image(tmp_path / "a.jpg"), red, atol=4)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_written_mask_reads_back_exactly(tmp_path: Path, dtype: type) -> None:
    mask = np.array([[0, 1, 200], [np.iinfo(dtype).max, 3, 4]], dtype)
    write_png(tmp_path / "m.png", mask)
    read = read_mask(tmp_path / "m.png")
    assert read.dtype == dtype
    np.testing.assert_array_equal(read, mask)


def test_a_failed_write_leaves_the_earlier_picture(tmp_path: Path, picture: np.ndarray) -> None:
    target = tmp_path / "no" / "a.png"
    with pytest.raises(OutputError, match="cannot write the file"):
        write_png(target, picture)
    assert not target.parent.exists()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tiff", ".webp"])
def test_the_exif_orientation_is_applied(tmp_path: Path, picture: np.ndarray, orientation: int, suffix: str) -> None:
    path, plain = tmp_path / f"a{suffix}", tmp_path / f"plain{suffix}"
    Image.fromarray(picture).save(path, exif=exif(orientation))
    Image.fromarray(picture).save(plain)
    stored = read_image(plain)
    upright = {
        1: stored,
        2: stored[:, ::-1],
        3: stored[::-1, ::-1],
        4: stored[::-1],
        5: stored.transpose(1, 0, 2),
        6: np.rot90(stored, -1),
        7: stored[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(stored, 1),
    }[orientation]
    np.testing.assert_array_equal(read_image(path), upright)
    assert image_size(path) == upright.shape[:2]


def test_the_exif_orientation_turns_masks_too(tmp_path: Path) -> None:
    Image.fromarray(np.array([[1, 2, 3]], np.uint8)).save(tmp_path / "m.png", exif=exif(6))
    np.testing.assert_array_equal(read_mask(tmp_path / "m.png"), [[1], [2], [3]])


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGBA", "LA", "CMYK", "YCbCr"])
def test_every_mode_becomes_rgb(tmp_path: Path, mode: str) -> None:
    gray = Image.fromarray(np.tile(np.array([[0, 255]], np.uint8), (8, 4)))
    gray.convert("RGB" if mode in ("CMYK", "YCbCr") else "L").convert(mode).save(tmp_path / "a.tiff")
    image = read_image(tmp_path / "a.tiff")
    assert image.shape == (8, 8, 3)
    assert image.dtype == np.uint8
    np.testing.assert_array_equal(image[..., 0] > 127, np.asarray(gray) > 127)


@pytest.mark.parametrize("kind", ["png", "gif", "bmp", "webp"])
def test_the_content_decides_and_not_the_suffix(tmp_path: Path, kind: str) -> None:
    Image.new("RGB", (6, 4), (0, 255, 0)).save(tmp_path / "a.jpg", format=kind)
    np.testing.assert_allclose(read_image(tmp_path / "a.jpg"), np.full((4, 6, 3), (0, 255, 0)), atol=3)


def test_a_gif_gives_its_first_frame(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (5, 4), color) for color in ("red", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    np.testing.assert_array_equal(read_image(tmp_path / "a.gif"), np.full((4, 5, 3), (255, 0, 0)))


def test_opaque_alpha_is_dropped(tmp_path: Path, picture: np.ndarray) -> None:
    Image.fromarray(np.dstack([picture, np.full(picture.shape[:2], 255, np.uint8)])).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), picture)


def check_refusal(error: pytest.ExceptionInfo[ImageError], path: Path) -> None:
    assert error.value.exit_code == 1
    assert path.name in str(error.value)
    assert "\n" not in str(error.value)


def test_transparency_is_refused(tmp_path: Path, picture: np.ndarray) -> None:
    path = tmp_path / "logo.png"
    alpha = np.full(picture.shape[:2], 255, np.uint8)
    alpha[:15] = 0
    Image.fromarray(np.dstack([picture, alpha])).save(path)
    with pytest.raises(ImageError, match=r"transparent pixels.*found 50.00% of it transparent.*flatten") as error:
        read_image(path)
    check_refusal(error, path)


def test_a_transparent_palette_entry_is_refused(tmp_path: Path) -> None:
    image = Image.fromarray(np.array([[0, 1]], np.uint8), "L").convert("P")
    image.save(tmp_path / "a.png", transparency=1)
    with pytest.raises(ImageError, match="transparent pixels"):
        read_image(tmp_path / "a.png")


def test_a_sixteen_bit_image_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "deep.png"
    write_png(path, np.full((4, 4), 4000, np.uint16))
    with pytest.raises(ImageError, match=r"more than 8 bits a channel.*convert it to 8 bits") as error:
        read_image(path)
    check_refusal(error, path)


def test_a_sixteen_bit_colour_image_is_refused_although_pillow_narrows_it(tmp_path: Path) -> None:
    path = tmp_path / "deep.png"
    cv2.imwrite(str(path), np.full((4, 4, 3), 4000, np.uint16))
    with pytest.raises(ImageError, match="more than 8 bits"):
        read_image(path)
    with pytest.raises(ImageError, match="cannot be read as class values"):
        read_mask(path)


@pytest.mark.parametrize("suffix", ["jpg", "png", "gif", "tiff", "webp", "bmp"])
@pytest.mark.parametrize("kept", [0.5, 0.9])
def test_a_truncated_file_is_refused(tmp_path: Path, picture: np.ndarray, suffix: str, kept: float) -> None:
    path = tmp_path / f"cut.{suffix}"
    Image.fromarray(picture).save(path)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(ImageError) as error:
        read_image(path)
    check_refusal(error, path)


@pytest.mark.parametrize("read", [read_image, read_mask, image_size])
def test_what_is_no_image_is_refused(tmp_path: Path, read: object) -> None:
    text, empty, folder = tmp_path / "text.jpg", tmp_path / "empty.png", tmp_path / "folder.png"
    text.write_text("not a picture at all")
    empty.touch()
    folder.mkdir()
    for path, message in (
        (text, "not an image; expected a JPEG, PNG, BMP, TIFF, WebP or GIF file"),
        (empty, "not an image"),
        (folder, "this is a folder, not an image"),
        (tmp_path / "gone.jpg", "no such file"),
    ):
        with pytest.raises(ImageError, match=message) as error:
            read(path)  # type: ignore[operator]
        check_refusal(error, path)


def test_a_large_picture_is_read_without_a_bomb_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    Image.new("RGB", (40, 40)).save(tmp_path / "a.png")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        assert read_image(tmp_path / "a.png").shape == (40, 40, 3)
    assert not told


def test_a_far_too_large_picture_is_refused_by_its_header(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kseg.images, "MAX_PIXELS", 100)
    Image.new("RGB", (40, 30)).save(tmp_path / "a.png")
    with pytest.raises(ImageError, match=r"too large; expected at most 100 pixels; found 40 × 30"):
        read_image(tmp_path / "a.png")


def test_a_damaged_exif_block_does_not_matter(tmp_path: Path, picture: np.ndarray) -> None:
    Image.fromarray(picture).save(tmp_path / "a.png", exif=b"Exif\x00\x00not exif at all")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), picture)


def test_a_name_that_is_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9.png")
    write_png(path, np.ones((2, 2), np.uint8))
    assert read_mask(path).sum() == 4
    path.write_text("broken")
    with pytest.raises(ImageError) as error:
        read_image(path)
    assert r"caf\xe9.png" in str(error.value)
    str(error.value).encode("utf-8")
    assert printable(path).endswith(r"caf\xe9.png")


def test_a_palette_mask_gives_indices(tmp_path: Path) -> None:
    ids = np.array([[0, 1, 3], [18, 2, 0]], np.uint8)
    image = Image.fromarray(ids, "L").convert("P")
    image = Image.frombytes("P", (3, 2), ids.tobytes())
    image.putpalette([(i * 37) % 256 for i in range(768)])
    image.save(tmp_path / "m.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "m.png"), ids)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA"])
def test_a_grey_mask_in_colour_channels_gives_the_grey(tmp_path: Path, mode: str) -> None:
    ids = np.array([[0, 255], [7, 0]], np.uint8)
    Image.fromarray(ids).convert(mode).save(tmp_path / "m.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "m.png"), ids)


def test_a_one_bit_mask_gives_zero_and_one(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 255]], np.uint8)).convert("1").save(tmp_path / "m.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "m.png"), [[0, 1]])


def test_a_four_bit_mask_gives_the_values_that_stand_in_it(tmp_path: Path) -> None:
    """Viewers stretch 0..15 to 0..255; the values mean classes."""
    import struct
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 2, 1, 4, 0, 0, 0, 0)
    pixels = zlib.compress(b"\x00\x3b")
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    (tmp_path / "m.png").write_bytes(data)
    np.testing.assert_array_equal(read_mask(tmp_path / "m.png"), [[3, 11]])


def test_a_coloured_mask_is_refused(tmp_path: Path, picture: np.ndarray) -> None:
    path = tmp_path / "m.png"
    write_png(path, picture)
    with pytest.raises(
        ImageError, match=r"the mask shows colours.*say in data.values which colour is which class"
    ) as error:
        read_mask(path)
    check_refusal(error, path)


def test_a_mask_in_the_alpha_channel_is_read(tmp_path: Path) -> None:
    rgba = np.zeros((4, 4, 4), np.uint8)
    rgba[:2, :, 3] = 255
    Image.fromarray(rgba).save(tmp_path / "m.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "m.png"), rgba[..., 3])


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "L"])
def test_colors_are_read_packed(tmp_path: Path, mode: str) -> None:
    rgb = np.array([[[1, 2, 3], [200, 100, 50]], [[0, 0, 0], [255, 255, 255]]], np.uint8)
    picture = Image.fromarray(rgb)
    picture = picture.quantize(4) if mode == "P" else picture.convert(mode)
    picture.save(tmp_path / "m.png")
    shown = np.asarray(picture.convert("RGB")).astype(int)
    packed = read_mask(tmp_path / "m.png", colors=True)
    np.testing.assert_array_equal(packed, shown @ [65536, 256, 1])


def test_a_color_survives_transparency(tmp_path: Path) -> None:
    rgba = np.array([[[10, 20, 30, 0], [40, 50, 60, 255]]], np.uint8)
    Image.fromarray(rgba).save(tmp_path / "m.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "m.png", colors=True), [[0x0A141E, 0x28323C]])


def test_a_float_mask_is_refused(tmp_path: Path) -> None:
    Image.fromarray(np.full((2, 2), 0.5, np.float32)).save(tmp_path / "m.tiff")
    with pytest.raises(ImageError, match=r"expected whole numbers in 0\.\.65535; found float32"):
        read_mask(tmp_path / "m.tiff")


sizes = st.tuples(st.integers(1, 40), st.integers(1, 40))


@settings(deadline=None)
@given(sizes, sizes, st.integers(0, 255))
def test_resizing_keeps_a_plain_picture_plain(old: tuple[int, int], new: tuple[int, int], value: int) -> None:
    resized = resize_image(np.full((*old, 3), value, np.uint8), new)
    assert resized.shape == (*new, 3)
    assert resized.dtype == np.uint8
    assert (resized == value).all()


def test_shrinking_averages() -> None:
    stripes = np.zeros((8, 8, 3), np.uint8)
    stripes[:, ::2] = 200
    assert (resize_image(stripes, (4, 4)) == 100).all()
    assert (resize_image(stripes, (16, 4)) == 100).all()


@settings(deadline=None)
@given(sizes, sizes, st.integers(0, 2**32 - 1))
def test_a_resized_mask_has_the_value_of_the_nearest_pixel_centre(
    old: tuple[int, int], new: tuple[int, int], seed: int
) -> None:
    mask = np.random.default_rng(seed).integers(0, 256, old, np.uint8)
    resized = resize_mask(mask, new)
    # On a tie, halfway between two centres, either is nearest.
    near = [
        mask[np.ix_(*(((np.arange(n) + 0.5) * o / n + tie).astype(int).clip(0, o - 1) for n, o, tie in axes))]
        for ties in itertools.product((-1e-3, 1e-3), repeat=2)
        if (axes := list(zip(new, old, ties, strict=True)))
    ]
    assert np.any([resized == one for one in near], axis=0).all()
    assert set(np.unique(resized)) <= set(np.unique(mask))
    assert resized.shape == new


def test_enlarging_a_mask_and_back_is_exact() -> None:
    mask = np.random.default_rng(0).integers(0, 256, (13, 17), np.uint8)
    np.testing.assert_array_equal(resize_mask(resize_mask(mask, (39, 85)), (13, 17)), mask)


@pytest.mark.parametrize("channels", [1, 2, 5, 19])
def test_scores_are_resized_by_pixel_centres(channels: int) -> None:
    ramp = np.repeat(((np.arange(16) + 0.5) / 16).astype(np.float32)[None, :, None], 4, axis=0)
    scores = np.repeat(ramp, channels, axis=2)
    resized = resize_scores(scores, (8, 64))
    assert resized.shape == (8, 64, channels)
    assert resized.dtype == np.float32
    expected = np.clip((np.arange(64) + 0.5) / 64, 0.5 / 16, 15.5 / 16)
    np.testing.assert_allclose(resized, np.broadcast_to(expected[None, :, None], resized.shape), atol=1e-6)


@pytest.mark.real
def test_real_pictures_named_jpg_that_are_none(real_data: Path, tmp_path: Path) -> None:
    for name, kind in (("Abyssinian_34.jpg", "GIF"), ("Abyssinian_5.jpg", "PNG")):
        path = real_data / "pets" / "images" / name
        with Image.open(path) as opened:
            assert opened.format == kind
        mask = read_mask(real_data / "pets" / "annotations" / "trimaps" / name.replace(".jpg", ".png"))
        assert read_image(path).shape[:2] == mask.shape == image_size(path)
        shutil.copy(path, tmp_path / "copy.png")
        np.testing.assert_array_equal(read_image(tmp_path / "copy.png"), read_image(path))


@pytest.mark.parametrize("count", [0, 3, 256])
def test_ids_without_a_colour_are_kept(tmp_path: Path, count: int) -> None:
    """A palette of three colours once made 255 of a mask 3."""
    ids = np.arange(256, dtype=np.uint8).reshape(16, 16)
    write_index_png(tmp_path / "ids.png", ids, [(9, 9, 9)] * count)
    np.testing.assert_array_equal(read_mask(tmp_path / "ids.png"), ids)


@pytest.mark.parametrize("size", [(300, 400), (1, 40_000), (40_000, 1), (2, 16_384)])
@pytest.mark.parametrize(("mode", "suffix"), [("RGB", "png"), ("L", "png"), ("RGB", "jpg"), ("CMYK", "jpg")])
def test_large_images_hold_the_pixels_that_pillow_decodes(tmp_path, size, mode, suffix):
    """They are copied strip by strip."""
    channels = {"RGB": (3,), "L": (), "CMYK": (4,)}[mode]
    values = np.random.default_rng(0).integers(0, 256, (*size, *channels), np.uint8)
    Image.fromarray(values, mode if mode == "CMYK" else None).save(tmp_path / f"x.{suffix}")
    with Image.open(tmp_path / f"x.{suffix}") as picture:
        expected = np.array(picture.convert("RGB"))
    np.testing.assert_array_equal(read_image(tmp_path / f"x.{suffix}"), expected)
