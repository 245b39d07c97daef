"""A data set larger than the memory that there is: streamed and cached training takes the same however large it is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

SIZE = 512
COUNT = 256  # decoded 268 MB
ROOM = 160  # MB; the threads that TensorFlow starts when it likes take some of it, 8 MB each

SCRIPT = """
import gc, re, resource, sys
from pathlib import Path
from kseg.augment import parse
from kseg.data.find import find_dataset
from kseg.data.pipeline.arrays import Streamed
from kseg.data.pipeline.cache import fill_cache
from kseg.data.spec import DataSpec
from kseg.data.pipeline.batches import no_automatic_gc, train_batches

root, cache, size, room = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]) << 20
data = find_dataset(DataSpec(root, classes=["background", "object"], values={0: "background", 255: "object"}))
samples, labels = data.samples("all"), data.labels
if cache == "disk":
    source = fill_cache(samples, labels, (size, size), folder=root / "cache")
else:
    source = Streamed(samples, labels, (size, size))
batches = iter(train_batches(source, batch=4, seed=0, augment=parse(["hflip", {"rotate": 10}]), parallel=2))
with no_automatic_gc():
    for _ in range(24):
        next(batches)
    used = int(re.search(r"VmData:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) << 10
    resource.setrlimit(resource.RLIMIT_DATA, (used + room, used + room))
    if cache == "limit":
        bytearray(2 * room)
    for _ in range(len(samples) // 4):
        next(batches)
print("done", len(samples))
"""


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Many names for few files: what is decoded of them is what counts."""
    root = tmp_path_factory.mktemp("large")
    (root / "images").mkdir()
    (root / "masks").mkdir()
    rng = np.random.default_rng(0)
    for i in range(COUNT):
        paths = [root / "images" / f"{i:04}.jpg", root / "masks" / f"{i:04}.png"]
        if i < 4:
            soft = cv2.resize(rng.integers(0, 256, (8, 8, 3), np.uint8), (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)
            cv2.imwrite(str(paths[0]), soft)
            cv2.imwrite(str(paths[1]), np.where(soft[..., 0] > 128, 255, 0).astype(np.uint8))
        else:
            for path in paths:
                os.link(path.with_stem(f"{i % 4:04}"), path)
    return root


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits its memory as Linux does")
@pytest.mark.parametrize("cache", ["none", "disk", "limit"])
def test_once_through_a_data_set_that_is_larger_than_the_memory(large: Path, cache: str) -> None:
    assert COUNT * SIZE * SIZE * 4 >= 1.5 * ROOM * 2**20
    command = [sys.executable, "-c", SCRIPT, str(large), cache, str(SIZE), str(ROOM)]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "MALLOC_ARENA_MAX": "2"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=300)
    if cache == "limit":
        assert "MemoryError" in done.stderr, "the limit holds"
    else:
        assert done.stdout == f"done {COUNT}\n", done.stderr[-2000:]
