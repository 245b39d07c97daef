"""Read, write and resize images and masks; training and prediction share the resize. Loads no TensorFlow.

An image is RGB uint8 ``[H, W, 3]``; a mask is read as the values stored in the file, which `kseg.labels` turns into
class ids. Sizes are ``(height, width)``. The EXIF orientation is applied on reading, as an image viewer does.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo
from PIL.TiffImagePlugin import TiffImageFile

from kseg.errors import ImageError
from kseg.files import write_bytes
from kseg.sizes import Size

__all__ = [
    "IMAGE_SUFFIXES",
    "Header",
    "image_header",
    "image_size",
    "jpeg_bytes",
    "mean_brightness",
    "page_count",
    "png_bytes",
    "png_note",
    "printable",
    "read_image",
    "read_mask",
    "resize_image",
    "resize_mask",
    "resize_scores",
    "rgb_pixels",
    "stored_size",
    "turn_upright",
    "write_index_png",
    "write_jpeg",
    "write_picture",
    "write_png",
]

IMAGE_SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".tif", ".tiff", ".webp", ".gif"})
"""Suffixes, in lower case, of the files that count as images in a folder; the format is read from the file itself."""

MAX_PIXELS: Final = 2**28
"""Larger images are refused: 16384 × 16384 pixels are 0.8 GB as RGB already."""

_STRIP_PIXELS: Final = 2**15
"""Pixels of an image that are copied at a time: 128 KB as Pillow stores them."""

_FORMATS: Final = ("JPEG", "PNG", "BMP", "DIB", "TIFF", "WEBP", "GIF")
_GREY: Final = (128, 128, 128)
_DRAFT: Final = 8
"""The largest factor by which a JPEG can be decoded smaller than it is."""
_ORIENTATION_TAG: Final = 0x0112
_SUBFILE_TAG: Final = 254
_NO_PAGE: Final = 0b101
"""Bits of a TIFF's tag for a reduced copy, and a transparency mask, of another page."""
_TIFF_SUFFIXES: Final = frozenset({".tif", ".tiff"})
_TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SWAPS_SIDES: Final = 5
"""EXIF orientations from this one on swap height and width."""

_DEEP_MODES: Final = frozenset({"I", "F", "I;16", "I;16L", "I;16B", "I;16N"})
# Pillow scales the values of PNG files of 2 and 4 bits per pixel to 0..255; these factors undo that.
_STRETCH: Final = {"L;2": 85, "L;4": 17}

Pixels = npt.NDArray[np.uint8]


def printable(path: str | os.PathLike[str]) -> str:
    """A path as text that can always be printed: bytes that are not UTF-8 become escapes such as ``\\xe9``."""
    try:
        return os.fsencode(path).decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # a lone surrogate, which JSON can contain
        return str(path).encode("utf-8", "backslashreplace").decode("utf-8")


def _place(path: str | os.PathLike[str], page: int) -> str:
    return f"{printable(path)} (page {page + 1})" if page else printable(path)


def read_image(path: str | os.PathLike[str], *, page: int = 0) -> Pixels:
    """Read an image as RGB.

    Grey, 1-bit, palette and CMYK files are converted; of a GIF the first frame is read; an opaque alpha channel is
    dropped.

    Args:
        path: The file.
        page: The page of a TIFF file, from 0.

    Returns:
        uint8 ``[H, W, 3]``.

    Raises:
        ImageError: The file is missing, not an image, truncated, deeper than 8 bits a channel, has transparent
            pixels, or does not have the page.
    """
    with _decoded(path, page) as picture:
        return _rgb(picture, _place(path, page))


def rgb_pixels(picture: Image.Image) -> Pixels:
    """An open Pillow image as `read_image` reads a file: uint8 ``[H, W, 3]``, upright. Raises ImageError."""
    return _rgb(ImageOps.exif_transpose(picture), "the picture")


def _rgb(picture: Image.Image, where: str) -> Pixels:
    if _is_deep(picture):
        raise ImageError(
            "the image has more than 8 bits a channel", where=where, expected="8 bits a channel",
            found=f"mode {_raw_mode(picture) or picture.mode}", remedy="convert it to 8 bits, choosing the range",
        )  # fmt: skip
    if _has_alpha(picture):
        rgba = np.asarray(picture.convert("RGBA"))
        _require_opaque(rgba[..., 3], where)
        return np.ascontiguousarray(rgba[..., :3])
    return _rgb_array(picture if picture.mode == "RGB" else picture.convert("RGB"))


def _rgb_array(picture: Image.Image) -> Pixels:
    """``np.array(picture)`` of an RGB picture, strip by strip: at 12 megapixels in 15 ms instead of 60.

    Pillow copies the pixels twice on their way to NumPy; the copies of a strip stay in the processor's cache.
    """
    width, height = picture.size
    rows = max(1, _STRIP_PIXELS // width)
    pixels = np.empty((height, width, 3), np.uint8)
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        pixels[top:bottom] = np.asarray(picture.crop((0, top, width, bottom)))
    return pixels


def read_mask(
    path: str | os.PathLike[str], *, colors: bool = False, page: int = 0
) -> npt.NDArray[np.uint8] | npt.NDArray[np.uint16] | npt.NDArray[np.int32]:
    """Read a mask as the values, or the colours, stored in the file.

    The values are the indices of a palette file, 0 and 1 of a 1-bit file, the common value of RGB(A) channels that are
    equal, and the alpha where all other channels are constant.

    Args:
        path: The file.
        colors: Return packed colours, red · 65536 + green · 256 + blue: palettes are applied, alpha is dropped.
        page: The page of a TIFF file, from 0.

    Returns:
        uint8 or uint16 ``[H, W]``; int32 ``[H, W]`` with ``colors``.

    Raises:
        ImageError: The file cannot be read, or it is an RGB mask and ``colors`` is false.
    """
    with _decoded(path, page) as picture:
        raw_mode = _raw_mode(picture)
        if colors and not _is_deep(picture):
            return _packed(picture)
        if picture.mode in ("L", "P", "1"):
            values = np.array(picture, np.uint8)
            return values // _STRETCH.get(raw_mode, 1)
        if picture.mode in _DEEP_MODES:
            return _deep_values(np.asarray(picture), _place(path, page))
        if picture.mode in ("RGB", "RGBA", "LA", "RGBX") and ";16" not in raw_mode:
            return _single_channel(np.asarray(picture), _place(path, page))
        raise ImageError(
            "the mask cannot be read as class values", where=_place(path, page),
            expected="one channel of 8 or 16 bits, or a palette", found=f"mode {raw_mode or picture.mode}",
        )  # fmt: skip


def mean_brightness(path: str | os.PathLike[str], *, page: int = 0) -> float:
    """The mean grey level of an image, 0..255; a JPEG is decoded at an eighth of its size. Raises ImageError."""
    with _opened(path, page) as picture:
        # Pillow ignores the draft for other formats than JPEG.
        picture.draft("L", (picture.width // _DRAFT, picture.height // _DRAFT))
        return float(np.asarray(picture.convert("L"), np.float64).mean())


def _packed(picture: Image.Image) -> npt.NDArray[np.int32]:
    # Via RGBA: converted to RGB directly, Pillow would change the colour of a palette's transparent entry.
    rgb = np.asarray(picture.convert("RGBA"))[..., :3].astype(np.int32)
    packed: npt.NDArray[np.int32] = rgb[..., 0] << 16 | rgb[..., 1] << 8 | rgb[..., 2]
    return packed


@dataclass(frozen=True)
class Header:
    """How an image is stored.

    Args:
        format: ``JPEG``, ``PNG``, …, from the file's content.
        mode: Pillow's mode: ``L``, ``P``, ``RGB``, ``RGBA``, …
        size: Height and width as stored, before the EXIF orientation is applied.
        orientation: EXIF orientation, 1 (upright) to 8.
    """

    format: str
    mode: str
    size: Size
    orientation: int


def page_count(path: str | os.PathLike[str]) -> int:
    """Number of pages of a TIFF file, without reduced copies of pages; 1 for other suffixes than .tif and .tiff.

    Raises:
        ImageError: The file is missing or not an image.
    """
    if Path(path).suffix.lower() not in _TIFF_SUFFIXES:
        return 1
    with _opened(path) as picture:
        return sum(1 for _ in _turned_pages(picture))


def image_header(path: str | os.PathLike[str], *, page: int = 0) -> Header:
    """Read how an image, or a page of a TIFF file, is stored, from its header only. Raises ImageError."""
    with _opened(path, page) as picture:
        # Pillow applies the orientation of TIFF files when it loads them.
        orientation = 1 if picture.format == "TIFF" else _orientation(picture)
        return Header(picture.format or "", picture.mode, (picture.height, picture.width), orientation)


def turn_upright(mask: npt.NDArray[Any], orientation: int) -> npt.NDArray[Any]:
    """Apply an EXIF orientation, 1 to 8, to a mask ``[H, W]``; other numbers leave it unchanged."""
    if orientation in (5, 6, 7, 8):
        mask = mask.T
    flips = {2: (1, -1), 3: (-1, -1), 4: (-1, 1), 6: (1, -1), 7: (-1, -1), 8: (-1, 1)}
    down, across = flips.get(orientation, (1, 1))
    return np.ascontiguousarray(mask[::down, ::across])


def image_size(path: str | os.PathLike[str], *, page: int = 0) -> Size:
    """Height and width of what `read_image` returns, from the header where the format allows it. Raises ImageError."""
    with _opened(path, page) as picture:
        if picture.format == "TIFF":
            picture.load()  # applies the orientation; some versions of Pillow update the size only then
        width, height = picture.size
        return (width, height) if _orientation(picture) >= _SWAPS_SIDES else (height, width)


def stored_size(path: str | os.PathLike[str]) -> Size:
    """Height and width as stored, before any EXIF orientation.

    For PNG many times faster than `image_size`, since a PNG may have its EXIF block at the end of the file.

    Raises:
        ImageError: The file is missing or not an image.
    """
    with _opened(path) as picture:
        return picture.height, picture.width


def resize_image(image: Pixels, size: Size) -> Pixels:
    """Resize an image ``[H, W, 3]`` to ``size``: sides that shrink by area averaging, sides that grow bilinearly."""
    height, width = image.shape[:2]
    smaller = (min(height, size[0]), min(width, size[1]))
    if smaller != (height, width):
        image = _resize(image, smaller, cv2.INTER_AREA)
    return image if smaller == size else _resize(image, size, cv2.INTER_LINEAR)


def resize_mask(mask: npt.NDArray[Any], size: Size) -> npt.NDArray[Any]:
    """Resize a mask ``[H, W]`` by nearest neighbour (pixel centres), so that no new values arise."""
    return mask if mask.shape == size else _resize(mask, size, cv2.INTER_NEAREST_EXACT)


def resize_scores(scores: npt.NDArray[np.float32], size: Size) -> npt.NDArray[np.float32]:
    """Resize scores float32 ``[h, w, C]`` bilinearly to ``[H, W, C]``, with half-pixel centres."""
    if scores.shape[:2] == size:
        return scores
    # OpenCV drops a single channel.
    return _resize(scores, size, cv2.INTER_LINEAR).reshape(*size, scores.shape[2])


def write_png(path: Path, array: npt.NDArray[np.uint8 | np.uint16]) -> None:
    """Write ``[H, W]`` uint8 or uint16, or RGB uint8 ``[H, W, 3]``, as PNG, atomically. Raises OutputError."""
    write_bytes(path, png_bytes(array))


def write_index_png(
    path: Path, ids: Pixels, colors: Sequence[tuple[int, int, int]], notes: Mapping[str, str] | None = None
) -> None:
    """Write ids ``[H, W]`` as a palette PNG, atomically.

    Args:
        path: The file.
        ids: uint8; `read_mask` reads them back.
        colors: Palette: RGB in 0..255 for ids 0, 1, …; further ids are grey.
        notes: Text chunks to store in the file, by keyword in Latin-1; see `png_note`.

    Raises:
        OutputError: The file cannot be written.
    """
    picture = Image.fromarray(ids)
    # All 256 entries: with a shorter palette Pillow would store the ids with fewer bits and cut larger ones off.
    picture.putpalette([value for color in [*colors, *[_GREY] * (256 - len(colors))] for value in color])
    texts = PngInfo()
    for key, text in (notes or {}).items():
        texts.add_text(key, text)
    data = io.BytesIO()
    picture.save(data, "PNG", pnginfo=texts)
    write_bytes(path, data.getvalue())


def png_note(path: str | os.PathLike[str], key: str) -> str | None:
    """A text chunk that `write_index_png` stored; None if it is missing, or the file is missing or damaged."""
    try:
        with _opened(path) as picture:
            note = picture.info.get(key)
            picture.verify()  # checks the checksums of the remaining chunks
    except ImageError:
        return None
    return note if isinstance(note, str) else None


def write_jpeg(path: Path, image: Pixels, quality: int = 92) -> None:
    """Write RGB uint8 ``[H, W, 3]`` as JPEG, atomically. ``quality`` is 0..100. Raises OutputError."""
    write_bytes(path, jpeg_bytes(image, quality))


def write_picture(path: Path, image: Pixels) -> None:
    """Write RGB uint8 ``[H, W, 3]``, atomically: JPEG for .jpg and .jpeg, else PNG. Raises OutputError."""
    if path.suffix.lower() in (".jpg", ".jpeg"):
        write_jpeg(path, image)
    else:
        write_png(path, image)


def png_bytes(array: npt.NDArray[np.uint8 | np.uint16]) -> bytes:
    """Encode ``[H, W]`` uint8 or uint16, or RGB uint8 ``[H, W, 3]``, as PNG."""
    return _encoded(".png", array, [])


def jpeg_bytes(image: Pixels, quality: int = 92) -> bytes:
    """Encode RGB uint8 ``[H, W, 3]`` as JPEG. ``quality`` is 0..100."""
    return _encoded(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])


def _encoded(suffix: str, array: npt.NDArray[Any], options: list[int]) -> bytes:
    ordered = np.ascontiguousarray(array[..., ::-1] if array.ndim == 3 else array)  # OpenCV writes BGR
    return cv2.imencode(suffix, ordered, options)[1].tobytes()


def _resize(array: npt.NDArray[Any], size: Size, interpolation: int) -> npt.NDArray[Any]:
    resized: npt.NDArray[Any] = cv2.resize(array, (size[1], size[0]), interpolation=interpolation)
    return resized


@contextmanager
def _opened(path: str | os.PathLike[str], page: int = 0) -> Iterator[Image.Image]:
    """Open an image, its pixels not decoded yet; any exception within the block becomes an ImageError."""
    where = _place(path, page)
    try:
        with open(path, "rb") as file, _open_header(file) as picture:
            if page and page not in _turned_pages(picture):
                raise ImageError(
                    "no such page", where=where, expected=f"at most {sum(1 for _ in _turned_pages(picture))}"
                )
            if picture.width * picture.height > MAX_PIXELS:
                raise ImageError(
                    "the image is too large", where=where, expected=f"at most {MAX_PIXELS} pixels",
                    found=f"{picture.width} × {picture.height}", remedy="cut it into tiles",
                )  # fmt: skip
            yield picture
    except ImageError:
        raise
    except FileNotFoundError:
        raise ImageError("no such file", where=where) from None
    except IsADirectoryError:
        raise ImageError("this is a folder, not an image", where=where) from None
    except UnidentifiedImageError:
        raise ImageError("not an image", where=where, expected="a JPEG, PNG, BMP, TIFF, WebP or GIF file") from None
    # Pillow's decoders raise almost anything on damaged files: OSError, SyntaxError, ValueError, struct.error, …
    except Exception as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise ImageError("the image cannot be read", where=where, found=reason) from error


def _open_header(file: BinaryIO) -> Image.Image:
    # Pillow warns of "decompression bombs" at sizes that satellite and microscope images have; MAX_PIXELS replaces its
    # limit, which is global. No lock may guard this assignment: a garbage collection inside the lock can wait for a
    # tf.data iterator whose threads wait for the lock.
    Image.MAX_IMAGE_PIXELS = None
    return Image.open(file, formats=_FORMATS)


def _turned_pages(picture: Image.Image) -> Iterator[int]:
    """Turn the picture to each page, and yield its number, from 0; of a damaged file the pages before the damage."""
    yield 0
    page = frame = 0
    while isinstance(picture, TiffImageFile):
        frame += 1
        try:
            picture.seek(frame)
        except Exception:  # EOFError after the last; on a damaged file almost anything
            return
        if not int(picture.tag_v2.get(_SUBFILE_TAG, 0)) & _NO_PAGE:
            page += 1
            yield page


@contextmanager
def _decoded(path: str | os.PathLike[str], page: int = 0) -> Iterator[Image.Image]:
    """Open an image, decode it and apply its EXIF orientation."""
    with _opened(path, page) as picture:
        raw = _raw_mode(picture)
        picture.load()
        turn = _TURNS.get(_orientation(picture))
        upright = picture if turn is None else picture.transpose(turn)
        upright.info["kseg_raw_mode"] = raw  # no longer available after decoding
        yield upright


def _orientation(picture: Image.Image) -> int:
    try:
        return int(picture.getexif().get(_ORIENTATION_TAG, 1))
    # An image with a damaged EXIF block can still be read.
    except (SyntaxError, ValueError, TypeError, KeyError, IndexError, EOFError):
        return 1


def _raw_mode(picture: Image.Image) -> str:
    """Pillow's raw mode, which gives the bits per channel in the file (``RGB;16B``, ``L;4``); "" if unknown."""
    if "kseg_raw_mode" in picture.info:
        return str(picture.info["kseg_raw_mode"])
    tiles = getattr(picture, "tile", None)
    args = tiles[0][3] if tiles else ()
    names = [args] if isinstance(args, str) else [arg for arg in args or () if isinstance(arg, str)]
    return names[0] if names else ""


def _is_deep(picture: Image.Image) -> bool:
    return picture.mode in _DEEP_MODES or ";16" in _raw_mode(picture)


def _has_alpha(picture: Image.Image) -> bool:
    return picture.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in picture.info


def _require_opaque(alpha: Pixels, where: str) -> None:
    share = float((alpha < 255).mean())
    if share:
        raise ImageError(
            "the image has transparent pixels", where=where, expected="an opaque picture",
            found=f"{max(share, 0.0001):.2%} of it transparent",
            remedy="flatten it onto the background that the model should see",
        )  # fmt: skip


def _deep_values(values: npt.NDArray[Any], where: str) -> npt.NDArray[np.uint16]:
    if values.dtype.kind == "f" or values.min(initial=0) < 0 or values.max(initial=0) > 65535:
        raise ImageError(
            "the mask cannot be read as class values", where=where, expected="whole numbers in 0..65535",
            found=f"{values.dtype} from {values.min()} to {values.max()}",
        )  # fmt: skip
    return values.astype(np.uint16)


def _single_channel(pixels: Pixels, where: str) -> Pixels:
    """The value that all colour channels of ``[H, W, 2..4]`` repeat, or the alpha where that value is constant."""
    channels = pixels.shape[2]
    values = pixels[..., 0]
    if channels > 2 and not ((values == pixels[..., 1]) & (values == pixels[..., 2])).all():
        raise ImageError(
            "the mask shows colours", where=where, expected="class values in one channel, or a palette",
            found="an RGB picture whose channels differ",
            remedy="say in data.values which colour is which class, e.g. {'#000000': background, '#ff0000': object}",
        )  # fmt: skip
    if channels in (2, 4) and values.min() == values.max() and pixels[..., -1].min() != pixels[..., -1].max():
        values = pixels[..., -1]
    return np.ascontiguousarray(values)
