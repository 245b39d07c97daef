"""The signatures of a SavedModel, which a server offers: what they take, and that they decide as `Predictor` does."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from kseg.errors import ImageError
from kseg.exporters.conversion import Conversion
from kseg.exporters.formats.saved_model import write_saved_model
from kseg.images import jpeg_bytes, png_bytes, read_image
from kseg.inference import Predictor, load_predictor
from tests.exporters.formats.colour_network import COLOURS, RED_OR_NOT, SIZE, conversion, draw, expected_scores


class Served:
    """A SavedModel as a server loads it, beside kseg's own prediction of the same network."""

    def __init__(self, conversion: Conversion, folder: Path) -> None:
        write_saved_model(conversion, folder)
        self.folder = folder
        self.conversion = conversion
        self.module = tf.saved_model.load(str(folder))
        self.predictor = Predictor(lambda images: expected_scores(conversion, images), conversion.card)

    def decode(self, *files: bytes) -> Any:
        return self.module.signatures["decode"](image_bytes=tf.constant(list(files)))["class_ids"].numpy()


@pytest.fixture(scope="module")
def binary(tmp_path_factory: pytest.TempPathFactory) -> Served:
    return Served(conversion(RED_OR_NOT, threshold=0.3), tmp_path_factory.mktemp("binary") / "saved_model")


@pytest.fixture(scope="module")
def colours(tmp_path_factory: pytest.TempPathFactory) -> Served:
    return Served(conversion(COLOURS), tmp_path_factory.mktemp("colours") / "saved_model")


@pytest.fixture(scope="module", params=["binary", "colours"])
def served(request: pytest.FixtureRequest) -> Served:
    result: Served = request.getfixturevalue(request.param)
    return result


def saved(image: Image.Image, format: str, **options: Any) -> bytes:
    data = io.BytesIO()
    image.save(data, format, **options)
    return data.getvalue()


def test_signatures_have_these_names_and_types(served: Served) -> None:
    channels = served.conversion.card.channels
    described = {
        name: [
            (tensor.name, tensor.dtype.name, tensor.shape.as_list())
            for tensor in (*signature.structured_input_signature[1].values(), *signature.structured_outputs.values())
        ]
        for name, signature in served.module.signatures.items()
    }
    pictures = ("images", "uint8", [None, *SIZE, 3])
    assert described == {
        "serving_default": [pictures, ("scores", "float32", [None, *SIZE, channels])],
        "classify_pixels": [pictures, ("class_ids", "uint8", [None, *SIZE])],
        "decode": [("image_bytes", "string", [None]), ("class_ids", "uint8", [None, None, None])],
    }


def test_serving_default_returns_the_scores_of_the_network(served: Served) -> None:
    images = draw(3, seed=5)
    scores = served.module.signatures["serving_default"](images=tf.constant(images))["scores"].numpy()
    np.testing.assert_allclose(scores, expected_scores(served.conversion, images), atol=1e-6)


def test_classify_pixels_takes_the_threshold_of_the_card_or_the_highest_score(served: Served) -> None:
    images = draw(3, seed=6)
    ids = served.module.signatures["classify_pixels"](images=tf.constant(images))["class_ids"].numpy()
    expected = served.conversion.card.class_ids(expected_scores(served.conversion, images))
    np.testing.assert_array_equal(ids, expected)
    assert len(np.unique(ids)) == len(served.conversion.card.labels.names), "a class that never wins proves nothing"


def test_threshold_of_the_card_is_part_of_the_graph(binary: Served) -> None:
    images = draw(3, seed=6)
    scores = expected_scores(binary.conversion, images)[..., 0]
    ids = binary.module.signatures["classify_pixels"](images=tf.constant(images))["class_ids"].numpy()
    assert ((scores >= 0.3) != (scores >= 0.5)).any()
    np.testing.assert_array_equal(ids, scores >= 0.3)


@pytest.mark.parametrize(
    "size",
    [SIZE, (96, 128), (101, 203), (33, 41), (30, 200), (144, 63)],
    ids=["the network's own", "twice", "larger", "smaller", "lower and wider", "higher and narrower"],
)
def test_decode_decides_as_kseg_predicts(served: Served, size: tuple[int, int]) -> None:
    """At most one pixel in 1000: resizing rounds to whole numbers, not always to the same ones."""
    pictures = draw(3, seed=7, size=size)
    ids = served.decode(*map(png_bytes, pictures))
    expected = np.stack([served.predictor.predict(picture) for picture in pictures])
    assert ids.dtype == np.uint8
    assert ids.shape == expected.shape
    assert (ids != expected).mean() < 0.001
    assert len(np.unique(expected)) > 1


def test_decode_reads_jpeg_as_kseg_does(served: Served, tmp_path: Path) -> None:
    data = jpeg_bytes(draw(1, seed=8, size=(100, 150))[0], quality=60)
    (tmp_path / "picture.jpg").write_bytes(data)
    expected = served.predictor.predict(read_image(tmp_path / "picture.jpg"))
    assert (served.decode(data)[0] != expected).mean() < 0.001


RGB = Image.fromarray(draw(1, seed=9, size=(60, 90))[0])


def png_of(image: Image.Image, **options: Any) -> bytes:
    return saved(image, "PNG", **options)


STORED = {
    "grey": png_of(RGB.convert("L")),
    "grey JPEG": saved(RGB.convert("L"), "JPEG"),
    "grey, 1 bit": png_of(RGB.convert("1")),
    "palette, 1 bit": png_of(RGB.quantize(2)),
    "palette": png_of(RGB.quantize(7)),
    "opaque alpha": png_of(RGB.convert("RGBA")),
    "grey with opaque alpha": png_of(RGB.convert("LA")),
    "interlaced JPEG": saved(RGB, "JPEG", progressive=True),
    "JPEG with comments": saved(RGB, "JPEG", comment=b"Exif\0\0 II*", icc_profile=b"x" * 70_000),
}


@pytest.mark.parametrize("kind", STORED)
def test_decode_reads_every_way_of_storing_pixels_as_kseg_does(colours: Served, kind: str, tmp_path: Path) -> None:
    (tmp_path / "picture").write_bytes(STORED[kind])
    expected = colours.predictor.predict(read_image(tmp_path / "picture"))
    assert (colours.decode(STORED[kind])[0] != expected).mean() < 0.001


def exif_block(orientation: int, endian: str) -> bytes:
    """An EXIF block with a few entries around the orientation."""
    exif = Image.Exif()
    exif.endian = endian
    exif._info = None  # Pillow's own way to make a block from scratch
    exif[0x010F] = "a camera"
    exif[0x0112] = orientation
    exif[0x0131] = "some software"
    return exif.tobytes()


@pytest.mark.parametrize("endian", ["<", ">"])
@pytest.mark.parametrize("format", ["JPEG", "PNG"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_decode_turns_pictures_upright(
    colours: Served, orientation: int, format: str, endian: str, tmp_path: Path
) -> None:
    data = saved(RGB, format, exif=exif_block(orientation, endian))
    (tmp_path / "picture").write_bytes(data)
    picture = read_image(tmp_path / "picture")
    assert picture.shape[:2] == ((90, 60) if orientation >= 5 else (60, 90))
    ids, expected = colours.decode(data)[0], colours.predictor.predict(picture)
    assert ids.shape == expected.shape
    assert (ids != expected).mean() < 0.001


@pytest.mark.parametrize(
    "block",
    [b"", b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", exif_block(6, "<")[:20], exif_block(77, ">")],
    ids=["none", "empty", "elsewhere", "cut off", "no such orientation"],
)
def test_damaged_exif_blocks_turn_nothing(colours: Served, block: bytes) -> None:
    np.testing.assert_array_equal(colours.decode(saved(RGB, "JPEG", exif=block)), colours.decode(saved(RGB, "JPEG")))


DEEP = Image.fromarray(np.full((8, 8), 40_000, np.uint16))
TRANSPARENT = RGB.convert("RGBA")
TRANSPARENT.putpixel((3, 3), (1, 2, 3, 254))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (png_of(DEEP), "the image has more than 8 bits a channel"),
        (png_of(TRANSPARENT), "the image has transparent pixels"),
        (png_of(RGB.quantize(4), transparency=2), "the image has transparent pixels"),
    ],
    ids=["16 bits", "transparent", "transparent palette entry"],
)
def test_decode_refuses_what_kseg_refuses_with_the_same_words(
    colours: Served, data: bytes, reason: str, tmp_path: Path
) -> None:
    (tmp_path / "picture").write_bytes(data)
    with pytest.raises(ImageError, match=reason):
        read_image(tmp_path / "picture")
    with pytest.raises(tf.errors.InvalidArgumentError, match=reason):
        colours.decode(data)


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ([b""], "the picture is neither JPEG nor PNG; convert it"),
        ([b"GIF89a and so on"], "the picture is neither JPEG nor PNG; convert it"),
        ([saved(RGB, "JPEG")[:700]], "(?i)jpeg"),
        ([png_of(RGB)[:700]], "(?i)png"),
        ([png_of(RGB)[:10]], "(?i)png"),
        ([png_of(RGB), png_of(RGB.resize((90, 61)))], "the pictures of one call differ in size; send each in a call"),
        ([], "there is no picture in this call"),
    ],
    ids=["empty", "GIF", "half a JPEG", "half a PNG", "10 bytes", "two sizes", "none"],
)
def test_decode_says_what_is_wrong(colours: Served, files: list[bytes], reason: str) -> None:
    with pytest.raises(tf.errors.InvalidArgumentError, match=reason):
        colours.module.signatures["decode"](image_bytes=tf.constant(files, tf.string))


def test_signatures_run_without_keras_and_kseg(binary: Served, tmp_path: Path) -> None:
    data = png_bytes(draw(1, seed=7, size=(30, 20))[0])
    (tmp_path / "picture.png").write_bytes(data)
    program = f"""
import sys
sys.modules["keras"] = sys.modules["kseg"] = None
import tensorflow as tf
loaded = tf.saved_model.load({str(binary.folder)!r})
data = tf.io.read_file({str(tmp_path / "picture.png")!r})
print(loaded.signatures["decode"](image_bytes=data[None])["class_ids"].numpy()[0].tolist())
scores = loaded.signatures["serving_default"](images=tf.zeros([3, {SIZE[0]}, {SIZE[1]}, 3], tf.uint8))["scores"]
print(scores.dtype.name, scores.shape)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    expected = [str(binary.decode(data)[0].tolist()), f"float32 (3, {SIZE[0]}, {SIZE[1]}, 1)"]
    assert done.stdout.splitlines() == expected, done.stderr[-500:]


def test_kseg_runs_the_default_signature(served: Served) -> None:
    images = draw(2, seed=3)
    scores = load_predictor(served.folder).run(images)
    np.testing.assert_allclose(scores, expected_scores(served.conversion, images), atol=1e-6)


@pytest.mark.real
@pytest.mark.parametrize("folder", ["pets/images", "portraits/source360", "camvid"])
def test_decode_of_photographs_decides_as_kseg_predicts(colours: Served, folder: str) -> None:
    photographs = sorted((Path(os.environ["KSEG_DATA"]) / folder).rglob("*.*g"))[:12]
    assert photographs
    changed = [
        (colours.decode(path.read_bytes())[0] != colours.predictor.predict(read_image(path))).mean()
        for path in photographs
    ]
    assert np.mean(changed) < 0.001
