"""What an export leaves behind besides its file: nothing printed, nothing in the home folder, nothing sent."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import sys
sent = []
sys.addaudithook(lambda event, _: sent.append(event) if event in ("socket.connect", "socket.getaddrinfo") else None)
from pathlib import Path
import numpy as np
from kseg.exporters import EXPORTERS
from kseg.exporters.conversion import Conversion
from kseg.inference import load_predictor
from kseg.models import load_model

model, card = load_model(Path({model!r}))
image = np.arange(card.height * card.width * 3).astype(np.uint8).reshape(card.height, card.width, 3)
print("loaded", file=sys.stderr, flush=True)
for row in EXPORTERS:
    if row.format in ("onnx", "openvino"):
        row.write(Conversion(model, card, [image]), Path({out!r}) / row.file)
        load_predictor(Path({out!r}) / row.file).run(image[None])
import logging
assert logging.getLoggerClass() is logging.Logger, logging.getLoggerClass()
assert not logging.getLogger().handlers, logging.getLogger().handlers
assert "openvino_telemetry" not in sys.modules
assert not sent, sent
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


def test_exports_to_onnx_and_openvino_leave_their_files_alone(run: Path, home: Path, tmp_path: Path) -> None:
    """In a process of its own: under pytest, NNCF sends nothing, and ONNX Runtime has its first session once only."""
    folders = {name: tmp_path / name for name in ("out", "current", "temporary")}
    for folder in folders.values():
        folder.mkdir()
    environment = {**os.environ, "HOME": str(home), "TMPDIR": str(folders["temporary"])}
    for name in ("XDG_CACHE_HOME", "ORT_DISABLE_TELEMETRY", "CI"):
        environment.pop(name, None)
    program = PROGRAM.format(model=str(run / "weights" / "best.keras"), out=str(folders["out"]))
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=folders["current"], env=environment
    )
    # TensorFlow's own lines on what it runs come before.
    assert (done.returncode, done.stdout, done.stderr.partition("loaded\n")[2]) == (0, "", ""), done.stderr[-2000:]
    assert sorted(path.name for path in folders["out"].iterdir()) == [
        "model.onnx", "model_fp16.onnx", "model_int8.onnx", "openvino", "openvino_fp16", "openvino_int8",
    ]  # fmt: skip
    assert not list(folders["current"].iterdir())
    assert not list(folders["temporary"].iterdir())
    assert not [path for path in home.rglob("*") if {"intel", "Microsoft"} & set(path.parts)]
