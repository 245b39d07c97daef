"""PyTorch's files without PyTorch, and without what makes them dangerous.

A ``.pth`` file is a pickle: a small program that names Python functions and calls them, so that reading one with
`pickle.load` runs whatever its author wished. Here a name is looked up in `_ALLOWED` and nowhere else. The entries of
that table build dictionaries and descriptions of tensors; they import nothing, and the program can neither change them
nor get at other objects through them. Any other name ends the reading.

Two layouts::

    since 1.6   a zip archive: NAME/data.pkl, which names storages; NAME/data/KEY, their bytes, uncompressed
    before it   pickles in a row (a magic number, a version, facts, the tensors, the storages' keys), then for each
                storage its length and bytes. torchvision's VGGs are still published like this.
"""

from __future__ import annotations

import pickle
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

import numpy as np

from kseg.errors import ArtifactError
from kseg.models.weights.match import Array

__all__ = ["read_torch"]

_MAGIC: Final = 0x1950A86A20F9469CFC6C
_LARGEST_PROGRAM: Final = 64 * 2**20
"""Bytes of a pickle without its storages; those of the largest networks have one or two MB."""

_DTYPES: Final = {
    "DoubleStorage": "<f8", "FloatStorage": "<f4", "HalfStorage": "<f2", "BFloat16Storage": "bfloat16",
    "LongStorage": "<i8", "IntStorage": "<i4", "ShortStorage": "<i2", "CharStorage": "<i1", "ByteStorage": "<u1",
    "BoolStorage": "?",
}  # fmt: skip


class _Storage(NamedTuple):
    """A reference to a one-dimensional array in the file: its key, dtype and length."""

    key: str
    dtype: str
    length: int


class _Tensor(NamedTuple):
    """A view of a storage, in numbers, not bytes."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _Rebuild:
    """Stands for torch's functions that build tensors. Has no ``__dict__``, so that a program cannot change it."""

    __slots__ = ()

    def __call__(self, storage: Any, offset: Any, shape: Any, strides: Any, *_rest: Any) -> _Tensor:
        if not isinstance(storage, _Storage):
            raise ValueError("a tensor without a storage")
        numbers = (offset, *shape, *strides)
        if len(shape) != len(strides) or not all(type(n) is int and 0 <= n < 2**40 for n in numbers):
            raise ValueError("a tensor of no sound shape")
        last = offset + sum((side - 1) * stride for side, stride in zip(shape, strides, strict=True))
        if 0 not in shape and last >= storage.length:
            raise ValueError("a tensor that reaches beyond its storage")
        return _Tensor(storage, offset, tuple(shape), tuple(strides))


class _Parameter:
    """Stands for torch's function that wraps a tensor as a parameter: returns the tensor."""

    __slots__ = ()

    def __call__(self, tensor: Any, *_rest: Any) -> Any:
        return tensor


_ALLOWED: Final[dict[tuple[str, str], Any]] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor"): _Rebuild(),
    ("torch._utils", "_rebuild_tensor_v2"): _Rebuild(),
    ("torch._utils", "_rebuild_parameter"): _Parameter(),
    **{("torch", name): dtype for name, dtype in _DTYPES.items()},
}


class _Reader(pickle.Unpickler):
    """An unpickler that resolves the names of `_ALLOWED` and no others."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which is no part of a state dict")
        return _ALLOWED[module, name]

    def persistent_load(self, pid: Any) -> _Storage:
        kind, dtype, key, _device, length, *view = pid
        sound = kind == "storage" and isinstance(key, str) and type(length) is int and 0 <= length < 2**40
        if not sound or dtype not in _DTYPES.values() or any(part is not None for part in view):
            raise ValueError("a storage of no known kind")
        return _Storage(key, dtype, length)


def read_torch(path: Path) -> dict[str, Array]:
    """The arrays of a state dict, as ``torch.save`` wrote it: by name, in torch's order of axes.

    Of a checkpoint that holds one under the key ``state_dict``, that one.

    Raises:
        ArtifactError: The file is damaged, holds other things, or names code.
    """
    try:
        with path.open("rb") as file:
            content, load = _read_zip(file) if zipfile.is_zipfile(file) else _read_row(file)
            return {name: load(tensor) for name, tensor in _tensors(content).items()}
    except (
        # A damaged pickle can end in any of these; none of them comes from code of the file's own.
        pickle.UnpicklingError, zipfile.BadZipFile, struct.error, OSError, EOFError, ValueError, TypeError, KeyError,
        IndexError, AttributeError, OverflowError, MemoryError, RecursionError, NotImplementedError, ImportError,
    ) as error:  # fmt: skip
        raise ArtifactError(
            "the file cannot be read", where=str(path), expected="a state dict as torch.save writes it, and no code",
            found=str(error)[:200] or type(error).__name__,
        ) from error  # fmt: skip


def _tensors(content: Any) -> Mapping[str, _Tensor]:
    """The state dict of a file's content; raises ValueError on anything else."""
    if isinstance(content, dict) and isinstance(dict.get(content, "state_dict"), dict):
        content = dict.get(content, "state_dict")
    if not isinstance(content, dict):
        raise ValueError(f"a {type(content).__name__}")
    # The program may have given the dictionary attributes, `items` among them.
    for name, tensor in dict.items(content):
        if not isinstance(name, str) or not isinstance(tensor, _Tensor):
            raise ValueError(f"{str(name)[:80]!r} is no tensor")
    return content


Load = Callable[[_Tensor], Array]


def _read_zip(file: IO[bytes]) -> tuple[Any, Load]:
    archive = zipfile.ZipFile(file)
    names = [name for name in archive.namelist() if name.endswith("/data.pkl")]
    if len(names) != 1:
        raise ValueError("a zip archive without a data.pkl")
    if archive.getinfo(names[0]).file_size > _LARGEST_PROGRAM:
        raise ValueError("a data.pkl of absurd size")
    folder = names[0].removesuffix("data.pkl")

    def load(tensor: _Tensor) -> Array:
        member = archive.getinfo(f"{folder}data/{tensor.storage.key}")
        # torch compresses nothing; a few compressed bytes could claim all memory.
        if member.compress_type != zipfile.ZIP_STORED:
            raise ValueError("a compressed storage")
        return _view(tensor, archive.read(member))

    with archive.open(names[0]) as program:
        return _Reader(program).load(), load


def _read_row(file: IO[bytes]) -> tuple[Any, Load]:
    file.seek(0)
    if file.read(1) != b"\x80":  # how every binary pickle begins
        raise ValueError("neither a zip archive nor a pickle")
    file.seek(0)
    if _Reader(file).load() != _MAGIC:
        raise ValueError("a pickle without torch's magic number")
    _version, _facts = _Reader(file).load(), _Reader(file).load()
    content = _Reader(file).load()
    expected = {tensor.storage.key: tensor.storage for tensor in _tensors(content).values()}
    storages: dict[str, bytes] = {}
    for key in _Reader(file).load():
        (length,) = struct.unpack("<q", file.read(8))
        if key not in expected or length != expected[key].length:
            raise ValueError("a storage of another length than its tensors say")
        storages[key] = file.read(length * _bytes_of(expected[key].dtype))
    return content, lambda tensor: _view(tensor, storages[tensor.storage.key])


def _bytes_of(dtype: str) -> int:
    return 2 if dtype == "bfloat16" else np.dtype(dtype).itemsize


def _view(tensor: _Tensor, data: bytes) -> Array:
    storage = tensor.storage
    if len(data) != storage.length * _bytes_of(storage.dtype):
        raise ValueError("a storage that was cut off")
    numbers = widen(data) if storage.dtype == "bfloat16" else np.frombuffer(data, storage.dtype)
    strides = tuple(stride * numbers.itemsize for stride in tensor.strides)
    # The bounds were checked when the tensor was made.
    return np.lib.stride_tricks.as_strided(numbers[tensor.offset :], tensor.shape, strides, writeable=False)


def widen(data: Any) -> Array:
    """bfloat16 bytes → float32 numbers, of which they are the upper half."""
    return (np.frombuffer(data, "<u2").astype("<u4") << 16).view("<f4")
