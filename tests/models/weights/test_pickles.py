"""PyTorch's files: read as they are, and nothing that they say is done."""

from __future__ import annotations

import os
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kseg.errors import ArtifactError
from kseg.models.weights.pickles import read_torch, widen
from tests.models.weights.torch_files import Rebuilt, Storage, note, program, write_row, write_zip

ARRAYS = {
    "a.weight": np.arange(24, dtype=np.float32).reshape(2, 3, 4),
    "a.bias": np.array([1.5, -2.0], np.float16),
    "steps": np.array(7, np.int64),
}
WRITERS = [write_zip, write_row]


@pytest.mark.parametrize("write", WRITERS)
def test_arrays_come_back_as_they_were(write: Callable[..., Path], tmp_path: Path) -> None:
    found = read_torch(write(tmp_path / "w.pth", ARRAYS))
    assert list(found) == list(ARRAYS)
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype


@pytest.mark.parametrize("write", WRITERS)
def test_a_checkpoint_around_the_state_dict(write: Callable[..., Path], tmp_path: Path) -> None:
    found = read_torch(write(tmp_path / "w.pth", ARRAYS, {"epoch": 3, "state_dict": note(ARRAYS)}))
    assert list(found) == list(ARRAYS)


def test_strides_are_those_of_the_file(tmp_path: Path) -> None:
    """A transposed view of its storage, which begins in the middle of it."""
    storage = np.arange(7, dtype=np.float32)
    state = OrderedDict(x=Rebuilt(Storage("0", storage), 1, (2, 3), (1, 2), False, OrderedDict()))
    found = read_torch(write_zip(tmp_path / "w.pth", {"x": storage}, state))
    np.testing.assert_array_equal(found["x"], storage[1:].reshape(3, 2).T)


def test_bfloat16_is_the_upper_half_of_float32() -> None:
    numbers = np.array([1.0, -2.5, 0.0], np.float32)
    halves = (numbers.view(np.uint32) >> 16).astype("<u2")
    np.testing.assert_array_equal(widen(halves.tobytes()), numbers)


class Call:
    """What a malicious file holds: a function, to be called when it is read."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize(
    "call",
    [(os.system, "touch {}"), (os.mkdir, "{}"), (eval, "__import__('os').mkdir('{}')"), (getattr, "{}", "strip")],
)
def test_code_is_not_run(write: Callable[..., Path], call: tuple[Any, ...], tmp_path: Path) -> None:
    proof = tmp_path / "proof"
    evil = Call(call[0], *(argument.format(proof) for argument in call[1:]))
    pickle.loads(pickle.dumps(evil))
    if call[0] is not getattr:
        assert proof.exists(), "it would have run"
        proof.rmdir() if proof.is_dir() else proof.unlink()
    path = write(tmp_path / "w.pth", {}, OrderedDict(x=evil))
    with pytest.raises(ArtifactError, match=r"w\.pth: the file cannot be read; expected a state dict .*it names \w+\."):
        read_torch(path)
    assert not proof.exists()


def test_code_in_a_bare_pickle_is_not_run(tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    path.write_bytes(pickle.dumps(Call(os.mkdir, str(tmp_path / "proof"))))
    with pytest.raises(ArtifactError, match="which is no part of a state dict"):
        read_torch(path)
    assert not (tmp_path / "proof").exists()


def test_what_stands_for_torch_cannot_be_changed(tmp_path: Path) -> None:
    """BUILD sets attributes of whatever lies on the stack, and so could redefine the functions that come after."""
    text = b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n}X\x08\x00\x00\x00__call__Nsb."
    path = tmp_path / "w.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model/data.pkl", text)
    with pytest.raises(ArtifactError, match=r"w\.pth: the file cannot be read"):
        read_torch(path)
    assert list(read_torch(write_zip(tmp_path / "good.pth", ARRAYS))) == list(ARRAYS)


def bad(name: str, *arguments: Any) -> Any:
    return OrderedDict({name: Rebuilt(*arguments)})


SIX = np.zeros(6, np.float32)


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (bad("x", Storage("0", SIX), 0, (7,), (1,)), "reaches beyond its storage"),
        (bad("x", Storage("0", SIX), 5, (2,), (1,)), "reaches beyond its storage"),
        (bad("x", Storage("0", SIX), -1, (2,), (1,)), "no sound shape"),
        (bad("x", Storage("0", SIX), 0, (2, 2), (1,)), "no sound shape"),
        (bad("x", Storage("0", SIX), 0, (2,), (-1,)), "no sound shape"),
        (bad("x", Storage("0", SIX), 0, (2**50, 0), (1, 1)), "no sound shape"),
        (bad("x", Storage("0", SIX, 99), 0, (99,), (1,)), "cut off"),
        (bad("x", Storage("../1", SIX), 0, (6,), (1,)), "There is no item named"),
        (bad("x", "no storage", 0, (6,), (1,)), "without a storage"),
        ({"x": 3}, "'x' is no tensor"),
        ([1, 2], "a list"),
    ],
)
def test_what_is_unsound_is_refused(state: Any, message: str, tmp_path: Path) -> None:
    path = write_zip(tmp_path / "w.pth", {"x": SIX}, state)
    with pytest.raises(ArtifactError, match=message):
        read_torch(path)


def test_a_compressed_storage_is_refused(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "w.pth", ARRAYS, compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(ArtifactError, match="a compressed storage"):
        read_torch(path)


@pytest.mark.parametrize("write", WRITERS)
def test_no_cut_of_a_file_is_taken(write: Callable[..., Path], tmp_path: Path) -> None:
    path = write(tmp_path / "w.pth", ARRAYS)
    whole = path.read_bytes()
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        with pytest.raises(ArtifactError, match=r"w\.pth: the file cannot be read; expected a state dict.*; found \S"):
            read_torch(path)


@pytest.mark.parametrize("write", WRITERS)
def test_no_flipped_byte_ends_in_another_error(write: Callable[..., Path], tmp_path: Path) -> None:
    path = write(tmp_path / "w.pth", ARRAYS)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= int(rng.integers(1, 256))
        path.write_bytes(damaged)
        try:
            read_torch(path)
        except ArtifactError:
            refused += 1
    assert refused > len(whole) / 4


def test_a_program_that_is_none(tmp_path: Path) -> None:
    assert program(OrderedDict()).startswith(b"\x80")
    (tmp_path / "w.pth").write_bytes(b"no weights")
    with pytest.raises(ArtifactError, match="neither a zip archive nor a pickle"):
        read_torch(tmp_path / "w.pth")
