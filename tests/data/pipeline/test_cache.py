"""Decoded samples on disk: used again, made again where anything changed, and what happens to a full disk."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kseg.data.dataset import Dataset
from kseg.data.find import find_dataset
from kseg.data.pipeline import cache
from kseg.data.pipeline.arrays import load_arrays
from kseg.data.pipeline.cache import Cached, fill_cache
from kseg.data.spec import DataSpec
from kseg.errors import DataError, OutputError
from tests.data.folders import make_pairs, write
from tests.limits import files_up_to

SIZE = (8, 12)


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    return find_dataset(DataSpec(root=make_pairs(tmp_path / "data", list("abcd"), values=(0, 255))))


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The keys of the samples that were decoded."""
    keys: list[str] = []
    load = cache.load_packed

    def count(sample: object, *rest: object) -> np.ndarray:
        keys.append(sample.key)  # type: ignore[attr-defined]
        return load(sample, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(cache, "load_packed", count)
    return keys


def fill(dataset: Dataset, folder: Path, size: tuple[int, int] = SIZE) -> Cached:
    return fill_cache(dataset.samples("all"), dataset.labels, size, folder=folder, workers=1)


def content(cached: Cached) -> list[bytes]:
    return [file.read_bytes()[:-4] for file in cached.files]


def test_it_holds_what_memory_would(dataset: Dataset, tmp_path: Path, decoded: list[str]) -> None:
    cached = fill(dataset, tmp_path / "c")
    arrays = load_arrays(dataset.samples("all"), dataset.labels, SIZE)
    assert content(cached) == [one.tobytes() for one in arrays.packed]
    assert len(cached) == len(decoded) == 4
    assert fill(dataset, tmp_path / "c") == cached
    assert len(decoded) == 4, "a second run decodes nothing"


def test_what_changed_is_made_again_and_nothing_else(dataset: Dataset, tmp_path: Path, decoded: list[str]) -> None:
    fill(dataset, tmp_path / "c")
    del decoded[:]
    changed = dataset.samples("all")[1]
    write(changed.image, np.zeros((12, 16, 3), np.uint8))
    fill(dataset, tmp_path / "c")
    assert decoded == [changed.key]
    assert isinstance(changed.mask, Path)
    os.utime(changed.mask, ns=(1, 1))
    fill(dataset, tmp_path / "c")
    assert decoded == [changed.key] * 2
    fill(dataset, tmp_path / "c", (16, 16))
    assert len(decoded) == 6, "another size"
    other = Dataset(dataset.root, type(dataset.labels)(("a", "b"), {0: "b", 255: "a"}), dataset.splits)
    fill(other, tmp_path / "c")
    assert len(decoded) == 10, "other labels"
    turned = {"train": tuple(replace(sample, turned=True) for sample in dataset.samples("all"))}
    fill(replace(dataset, splits=turned), tmp_path / "c")
    assert len(decoded) == 14, "masks that are turned with their images"
    fill(dataset, tmp_path / "c")
    assert len(decoded) == 14, "and the first are still there"


@pytest.mark.parametrize("damage", ["truncated", "changed", "empty", "longer"])
def test_a_damaged_file_is_made_again(dataset: Dataset, tmp_path: Path, decoded: list[str], damage: str) -> None:
    cached = fill(dataset, tmp_path / "c")
    whole, file = content(cached), cached.files[2]
    data = bytearray(file.read_bytes())
    if damage == "changed":
        data[100] ^= 1
    file.write_bytes({"truncated": data[:-9], "changed": data, "empty": b"", "longer": data + b"x"}[damage])
    del decoded[:]
    assert content(fill(dataset, tmp_path / "c")) == whole
    assert len(decoded) == 1


def test_a_picture_that_is_gone(dataset: Dataset, tmp_path: Path) -> None:
    gone = dataset.samples("all")[0].image
    gone.unlink()
    with pytest.raises(DataError, match=rf"^{gone}: no such file$"):
        fill(dataset, tmp_path / "c")


def test_a_full_disk_is_told_with_a_way_out(dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with files_up_to(100), pytest.raises(OutputError, match=r"the disk is full.*use --cache none, or set KSEG_CACHE"):
        fill(dataset, tmp_path / "c")
    assert not list((tmp_path / "c").rglob("*.part"))
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr(cache.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(OutputError, match=r"too little space for the cache; expected .* GB; found 0\.0 GB free"):
        fill(dataset, tmp_path / "d")


SLOWLY = """
import sys, time
from pathlib import Path
from kseg.data.find import find_dataset
from kseg.data.pipeline import cache
from kseg.data.spec import DataSpec
load = cache.load_packed
def slowly(*given):
    time.sleep(0.2)
    return load(*given)
cache.load_packed = slowly
data = find_dataset(DataSpec(Path(sys.argv[1])))
cache.fill_cache(data.samples("all"), data.labels, (8, 12), folder=Path(sys.argv[2]), workers=1)
"""


def test_after_a_kill_it_goes_on_where_it_stopped(tmp_path: Path, decoded: list[str]) -> None:
    dataset = find_dataset(DataSpec(root=make_pairs(tmp_path / "data", list("abcdefghij"), values=(0, 255))))
    command = [sys.executable, "-c", SLOWLY, str(dataset.root), str(tmp_path / "c")]
    process = subprocess.Popen(command)
    end = time.monotonic() + 60
    while len([f for f in tmp_path.glob("c/*/*/*/*") if f.suffix != ".part"]) < 3 and time.monotonic() < end:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    fill(dataset, tmp_path / "c")
    assert 3 <= 10 - len(decoded) < 10
