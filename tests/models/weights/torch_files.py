"""PyTorch's two file layouts written without PyTorch, for tests of their reader."""

from __future__ import annotations

import io
import pickle
import struct
import sys
import types
import zipfile
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

_STORAGES = {"f4": "FloatStorage", "f2": "HalfStorage", "i8": "LongStorage"}


class Rebuilt:
    """A tensor, as a pickle notes it."""

    def __init__(self, *arguments: Any) -> None:
        self.arguments = arguments

    def __reduce__(self) -> Any:
        return sys.modules["torch._utils"]._rebuild_tensor_v2, self.arguments  # type: ignore[attr-defined]


class Storage:
    """A storage, as a pickle notes it."""

    def __init__(self, key: str, array: np.ndarray, length: int | None = None) -> None:
        self.key, self.kind, self.length = key, _STORAGES[array.dtype.str[1:]], length or array.size


@contextmanager
def pretended_torch() -> Iterator[None]:
    """Modules of torch's names, since a pickle names functions by module."""
    names = {"torch._utils": ["_rebuild_tensor_v2"], "torch": list(_STORAGES.values())}
    earlier = {name: sys.modules.get(name) for name in names}
    for module_name, functions in names.items():
        module = types.ModuleType(module_name)
        for name in functions:
            made = type(name, (), {"__module__": module_name, "__qualname__": name})
            setattr(module, name, made)
        sys.modules[module_name] = module
    try:
        yield
    finally:
        for name, module in earlier.items():
            sys.modules.pop(name)
            if module is not None:
                sys.modules[name] = module


def program(state: Any) -> bytes:
    """The pickle of anything that holds `Rebuilt`."""
    buffer = io.BytesIO()

    class Writer(pickle.Pickler):
        def persistent_id(self, obj: Any) -> Any:
            if isinstance(obj, Storage):
                kind = getattr(sys.modules["torch"], obj.kind)
                return ("storage", kind, obj.key, "cpu", obj.length)
            return None

    with pretended_torch():
        Writer(buffer, protocol=2).dump(state)
    return buffer.getvalue()


def note(arrays: Mapping[str, np.ndarray]) -> OrderedDict[str, Rebuilt]:
    """A state dict as PyTorch pickles it."""
    state = OrderedDict()
    for number, (name, array) in enumerate(arrays.items()):
        strides = tuple(stride // array.itemsize for stride in array.strides)
        state[name] = Rebuilt(Storage(str(number), array), 0, array.shape, strides, False, OrderedDict())
    return state


def write_zip(path: Path, arrays: Mapping[str, np.ndarray], state: Any = None, **members: Any) -> Path:
    """The layout of today."""
    with zipfile.ZipFile(path, "w", **members) as archive:
        archive.writestr("model/data.pkl", program(note(arrays) if state is None else state))
        for number, array in enumerate(arrays.values()):
            archive.writestr(f"model/data/{number}", array.tobytes())
    return path


def write_row(path: Path, arrays: Mapping[str, np.ndarray], state: Any = None) -> Path:
    """The layout of old."""
    head = [pickle.dumps(part, protocol=2) for part in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})]
    keys = pickle.dumps([str(number) for number in range(len(arrays))], protocol=2)
    body = [struct.pack("<q", array.size) + array.tobytes() for array in arrays.values()]
    path.write_bytes(b"".join([*head, program(note(arrays) if state is None else state), keys, *body]))
    return path
