"""Files of weights → {name: array}, without the libraries that wrote them and without running anything in them."""

from __future__ import annotations

import json
import math
import struct
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np

from kseg.errors import ArtifactError
from kseg.models.weights.match import Array
from kseg.models.weights.pickles import read_torch, widen

__all__ = ["KERAS", "TORCH", "by_layer", "read_keras", "read_named", "read_paths"]

_LARGEST_HEADER: Final = 100_000_000
"""Bytes of a header; the limit of the format's own reader."""
_DTYPES: Final = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "<i1", "U8": "<u1",
    "BOOL": "?",
}  # fmt: skip


def read_named(path: Path) -> dict[str, Array]:
    """The arrays of a PyTorch network by torch's names: ``.safetensors``, or a state dict (`read_torch`).

    Raises:
        ArtifactError: The file is damaged, or holds something else.
    """
    return TORCH[path.suffix.lower()](path)


def read_safetensors(path: Path) -> dict[str, Array]:
    """A ``.safetensors`` file: 8 bytes with the header's length, a JSON header, then the numbers.

    https://huggingface.co/docs/safetensors; float32 from bfloat16, which NumPy lacks. The arrays stay in the file until
    they are used.

    Raises:
        ArtifactError: The file is damaged.
    """
    with _readable(path, "a .safetensors file"):
        if path.stat().st_size < 8:
            raise ValueError("a file of less than 8 bytes")
        data = np.memmap(path, np.uint8, mode="r")
        (length,) = struct.unpack("<Q", data[:8].tobytes())
        if length > min(_LARGEST_HEADER, len(data) - 8):
            raise ValueError(f"a header of {length} bytes in a file of {len(data)}")
        header = json.loads(data[8 : 8 + length].tobytes())
        numbers = data[8 + length :]
        return {name: _tensor(name, facts, numbers) for name, facts in header.items() if name != "__metadata__"}


def _tensor(name: str, facts: Any, numbers: Any) -> Array:
    (start, end), shape, dtype = facts["data_offsets"], tuple(facts["shape"]), facts["dtype"]
    if not all(type(n) is int and n >= 0 for n in (start, end, *shape)):
        raise ValueError(f"{name[:80]!r} has no sound place or shape")
    if end > len(numbers):
        raise ValueError(f"{name[:80]!r} ends beyond the file, which was cut off")
    size = 2 if dtype == "BF16" else np.dtype(_DTYPES[dtype]).itemsize
    if end - start != size * math.prod(shape):
        raise ValueError(f"{name[:80]!r} has {end - start} bytes for the shape {shape}")
    data = numbers[start:end]
    return (widen(data) if dtype == "BF16" else np.frombuffer(data, _DTYPES[dtype])).reshape(shape)


def read_keras(path: Path) -> dict[str, list[Array]]:
    """The arrays of each layer, by the layer's name, in the file's order: ``.h5``, ``.weights.h5`` or ``.keras``.

    Raises:
        ArtifactError: The file is damaged, or no such file.
    """
    with _opened(path) as file:
        whole = file.get("model_weights", file)  # a model as Keras 2 wrote it
        return _named_layers(whole) if "layer_names" in whole.attrs else _numbered_layers(whole)


def read_paths(path: Path) -> dict[str, Array]:
    """The arrays by their path in a file of Keras 3, ``{layer/part/number: array}``.

    Nested layers have to be found by path, since their own names depend on what was built before.

    Raises:
        ArtifactError: The file is damaged, or no such file.
    """
    with _opened(path) as file:
        groups = {path.removeprefix("layers/").removesuffix("/vars"): arrays for path, _, arrays in _groups(file)}
        return by_layer(groups)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    with _readable(path, "weights as Keras writes them"):
        if path.suffix.lower() != ".keras":
            with h5py.File(path, "r") as file:
                yield file
                return
        with zipfile.ZipFile(path) as archive, h5py.File(BytesIO(archive.read("model.weights.h5")), "r") as file:
            yield file


def _named_layers(file: Any) -> dict[str, list[Array]]:
    """Keras 2: a group a layer, in the order that the attributes give."""
    layers = {}
    for name in (_text(name) for name in file.attrs["layer_names"]):
        arrays = [np.asarray(file[name][_text(weight)]) for weight in file[name].attrs["weight_names"]]
        if arrays:
            layers[name] = arrays
    return layers


def _numbered_layers(file: Any) -> dict[str, list[Array]]:
    """Keras 3: the layer's name is an attribute of its group."""
    layers: dict[str, list[Array]] = {}
    for _, name, arrays in _groups(file):
        if name in layers:
            raise ValueError(f"two layers of the name {name!r}")
        layers[name] = arrays
    return layers


def _groups(file: Any) -> list[tuple[str, str, list[Array]]]:
    """The groups ``…/vars`` that are not empty: path, the layer's name, and the arrays by number."""
    groups: list[tuple[str, str, list[Array]]] = []

    def visit(path: str, item: Any) -> None:
        if path.endswith("/vars") and len(item):
            arrays = [np.asarray(item[str(number)]) for number in range(len(item))]
            groups.append((path, _text(item.attrs["name"]), arrays))

    file.visititems(visit)
    if not groups:
        raise ValueError("no layers")
    return groups


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def by_layer(layers: Mapping[str, list[Array]]) -> dict[str, Array]:
    """Layers with lists of arrays → one flat ``{layer/number: array}``."""
    return {f"{name}/{number}": array for name, arrays in layers.items() for number, array in enumerate(arrays)}


@contextmanager
def _readable(path: Path, expected: str) -> Iterator[None]:
    """Turn whatever a missing or damaged file raises into an ArtifactError."""
    try:
        yield
    except FileNotFoundError as error:
        raise ArtifactError("no such file", where=str(path), expected=expected) from error
    except (
        OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError, EOFError, RecursionError, MemoryError,
        struct.error, zipfile.BadZipFile,
    ) as error:  # fmt: skip
        raise ArtifactError(
            "the file cannot be read", where=str(path), expected=expected,
            found=(" ".join(str(error).split()) or type(error).__name__)[:200],
            remedy="copy or download it again if it is damaged",
        ) from error  # fmt: skip


Read = Callable[[Path], dict[str, Array]]
"""A file → its arrays by name."""
TORCH: Final[dict[str, Read]] = {
    ".safetensors": read_safetensors, ".pth": read_torch, ".pt": read_torch, ".bin": read_torch,
}  # fmt: skip
KERAS: Final = (".h5", ".keras")
