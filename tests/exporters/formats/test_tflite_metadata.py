"""The standard metadata of .tflite files: MediaPipe's own image segmenter reads them, and sees what kseg predicts."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pytest

from kseg.exporters.formats.tflite import write_tflite
from kseg.exporters.formats.tflite_flatbuffer import unpack
from kseg.exporters.formats.tflite_quantized import write_tflite_int8, write_tflite_int16x8
from kseg.inference import Predictor, load_predictor
from kseg.labels import LabelMap
from tests.exporters.formats.colour_network import COLOURS, RED_OR_NOT, conversion, draw
from tests.other_python import run_by

SCRIPT = Path(__file__).parent / "mediapipe_masks.py"
WRITE = {"float32": write_tflite, "int8": write_tflite_int8, "int16x8": write_tflite_int16x8}


class Segmented(NamedTuple):
    """What MediaPipe returns for some images, beside kseg's predictor of the same file."""

    labels: list[str]
    category: npt.NDArray[np.uint8]
    confidence: npt.NDArray[np.float32]
    predictor: Predictor
    images: npt.NDArray[np.uint8]

    @property
    def scores(self) -> npt.NDArray[np.float32]:
        return self.predictor.run(self.images)


def segment(labels: LabelMap, write: Any, folder: Path, **options: Any) -> Segmented:
    path, images = folder / "model.tflite", draw(3, seed=2)
    write(conversion(labels, **options), path)
    np.save(folder / "images.npy", images)
    lines = run_by(
        "KSEG_MEDIAPIPE_PYTHON", SCRIPT, path, folder / "images.npy", folder / "masks.npz", needs="MediaPipe"
    )
    with np.load(folder / "masks.npz") as masks:
        return Segmented(lines.splitlines(), masks["category"], masks["confidence"], load_predictor(path), images)


@pytest.mark.parametrize("write", WRITE.values(), ids=WRITE)
@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_mediapipe_sees_the_classes_that_kseg_predicts(write: Any, activation: str, tmp_path: Path) -> None:
    seen = segment(COLOURS, write, tmp_path, activation=activation)
    assert seen.labels == ["red", "green", "blue"]
    np.testing.assert_allclose(seen.confidence, seen.scores, atol=1e-6)
    expected = np.stack([seen.predictor.predict(image) for image in seen.images])
    assert set(np.unique(expected)) == {0, 1, 2}
    # Of equal scores, which int8 has, either class may win.
    clear = np.diff(np.sort(seen.scores, axis=-1), axis=-1)[..., -1] > 0
    np.testing.assert_array_equal(seen.category[clear], expected[clear])


@pytest.mark.parametrize("write", WRITE.values(), ids=WRITE)
def test_mediapipe_sees_one_class_as_category_0_and_its_background_as_255(write: Any, tmp_path: Path) -> None:
    seen = segment(RED_OR_NOT, write, tmp_path)
    assert seen.labels == ["red"]
    np.testing.assert_allclose(seen.confidence, seen.scores, atol=1e-6)
    foreground = seen.scores[..., 0] > 0.5
    assert 0.1 < foreground.mean() < 0.9
    np.testing.assert_array_equal(seen.category, np.where(foreground, 0, 255))


def test_metadata_are_a_buffer_of_the_model(tmp_path: Path) -> None:
    write_tflite(conversion(COLOURS), tmp_path / "model.tflite")
    model = unpack((tmp_path / "model.tflite").read_bytes())
    buffers = {entry.name: bytes(model.buffers[entry.buffer].data) for entry in model.metadata}
    metadata = buffers[b"TFLITE_METADATA"]
    assert metadata[4:8] == b"M001"
    for text in (b"SEGMENTER_METADATA", b"V001", b"labels.txt", b"Segmentation into red, green, blue."):
        assert text in metadata
