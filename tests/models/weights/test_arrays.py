"""Files of weights → arrays by name: what the libraries wrote, and what nobody should take."""

from __future__ import annotations

import json
import re
import struct
import zipfile
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest

from kseg.errors import ArtifactError
from kseg.models.weights.arrays import by_layer, read_keras, read_named

ARRAYS = {"a.weight": np.arange(6, dtype=np.float32).reshape(2, 3), "a.bias": np.array([1.5], np.float16)}


def write(path: Path, header: Any, body: bytes = b"", length: int | None = None) -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + body)
    return path


def facts(**changes: Any) -> dict[str, Any]:
    return {"x": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8], **changes}}


def test_safetensors_come_back_as_they_were(tmp_path: Path) -> None:
    pytest.importorskip("safetensors.numpy").save_file(ARRAYS, tmp_path / "w.safetensors", {"format": "pt"})
    found = read_named(tmp_path / "w.safetensors")
    assert set(found) == set(ARRAYS)
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype


def test_bfloat16_becomes_float32(tmp_path: Path) -> None:
    path = write(tmp_path / "w.safetensors", facts(dtype="BF16", data_offsets=[0, 4]), b"\x80\x3f\x20\xc0")
    np.testing.assert_array_equal(read_named(path)["x"], np.array([1, -2.5], np.float32))


@pytest.mark.parametrize(
    ("header", "body", "length", "message"),
    [
        (facts(), b"", None, "'x' ends beyond the file, which was cut off"),
        (facts(), bytes(8), 2**60, "a header of 1152921504606846976 bytes in a file of"),
        (facts(shape=[3]), bytes(8), None, r"'x' has 8 bytes for the shape \(3,\)"),
        (facts(shape=[-2]), bytes(8), None, "'x' has no sound place or shape"),
        (facts(shape=[True, 2]), bytes(8), None, "'x' has no sound place or shape"),
        (facts(shape=[2**40, 2**40]), bytes(8), None, "for the shape"),
        (facts(data_offsets=[8, 0]), bytes(8), None, "'x' has -8 bytes"),
        (facts(dtype="F8"), bytes(8), None, "F8"),
        ({"x": 3}, b"", None, "not subscriptable"),
        ([1], b"", None, "items"),
        (b"{", b"", None, "Expecting property name"),
        (b"\xff\xff", b"", None, "can't decode"),
        (b"[" * 100_000, b"", None, "recursion"),
    ],
)
def test_an_unsound_safetensors_file_is_one_line(
    header: Any, body: bytes, length: int | None, message: str, tmp_path: Path
) -> None:
    path = write(tmp_path / "w.safetensors", header, body, length)
    with pytest.raises(ArtifactError, match=rf"w\.safetensors: the file cannot be read; .*{message}") as caught:
        read_named(path)
    assert len(str(caught.value)) < 600
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"\x01", b"no weights at all"])
@pytest.mark.parametrize("name", ["w.safetensors", "w.pth", "w.h5", "w.keras"])
def test_what_is_no_such_file_is_told(name: str, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    read = read_keras if name.endswith(("h5", "keras")) else read_named
    with pytest.raises(ArtifactError, match=rf"{re.escape(name)}: the file cannot be read; expected .*; found \S"):
        read(path)


def network() -> keras.Model:
    image = keras.Input((8, 8, 3))
    x = keras.layers.BatchNormalization(name="norm")(keras.layers.Conv2D(2, 3, name="conv")(image))
    return keras.Model(image, keras.layers.Conv2D(1, 1, name="last")(x))


@pytest.mark.parametrize("name", ["w.weights.h5", "w.keras", "w.h5"])
def test_kerass_files_give_each_layers_arrays(name: str, tmp_path: Path) -> None:
    """`.h5` here is the older layout of a whole model."""
    model = network()
    (model.save_weights if name == "w.weights.h5" else model.save)(tmp_path / name)
    found = read_keras(tmp_path / name)
    expected = {layer.name: layer.get_weights() for layer in model.layers if layer.weights}
    assert set(found) == set(expected)
    for layer, arrays in expected.items():
        for one, other in zip(found[layer], arrays, strict=True):
            np.testing.assert_array_equal(one, other)
    assert set(by_layer(found)) == {
        "conv/0", "conv/1", "norm/0", "norm/1", "norm/2", "norm/3", "last/0", "last/1",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["w.weights.h5", "w.keras"])
def test_a_cut_file_of_keras_is_told(name: str, tmp_path: Path) -> None:
    model = network()
    path = tmp_path / name
    (model.save if name == "w.keras" else model.save_weights)(path)
    path.write_bytes(path.read_bytes()[:-3000])
    with pytest.raises(ArtifactError, match="the file cannot be read; expected weights as Keras writes them"):
        read_keras(path)


def test_an_h5_file_without_layers_is_told(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file["numbers"] = np.zeros(3)
    with pytest.raises(ArtifactError, match="no layers"):
        read_keras(tmp_path / "w.h5")


def test_a_zip_without_weights_is_told(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "w.keras", "w") as archive:
        archive.writestr("config.json", "{}")
    with pytest.raises(ArtifactError, match=r"no item named 'model\.weights\.h5'"):
        read_keras(tmp_path / "w.keras")
