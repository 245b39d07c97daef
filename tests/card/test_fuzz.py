"""A few thousand inputs of ``tools/fuzz_cards.py``, whose long form is run by hand."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

TOOL = Path(__file__).parents[2] / "tools" / "fuzz_cards.py"


def test_no_damaged_artifact_makes_a_card_reader_crash_hang_or_fill_the_memory() -> None:
    """In a process of its own, whose memory is limited."""
    command = [sys.executable, "-W", "error", TOOL, "--inputs", "2000"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.splitlines()[-1].endswith("no traceback")
    # The inputs are not all refused at once: some keep their card, and some cards are readable no more.
    for name in ("m.keras", "m.tflite", "m.onnx", "saved_model", "openvino"):
        assert f"{name}: read" in done.stdout
        assert f"{name}: refused" in done.stdout
