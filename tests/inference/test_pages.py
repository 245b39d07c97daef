"""Prediction of TIFF files of several pages: `kseg predict` each page, `Model` the first, and says so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kseg.images import read_mask
from kseg.inference import FilesPlan, Model, Predictor, predict_files
from tests.inference.artifacts import RED

PREDICTOR = Predictor(lambda images: (images[..., :1] > 100).astype(np.float32), RED)
"""Foreground is what is brighter than 100."""


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    """Three pages: black, white, too deep to be read."""
    black, white = (Image.fromarray(np.full((16, 24, 3), value, np.uint8)) for value in (0, 255))
    deep = Image.fromarray(np.full((16, 24), 999, np.uint16))
    black.save(tmp_path / "stack.tif", save_all=True, append_images=[white, deep])
    return tmp_path / "stack.tif"


def test_each_page_is_predicted(stack: Path, tmp_path: Path) -> None:
    report = predict_files(PREDICTOR, FilesPlan.make(RED, [str(stack)], tmp_path / "out"))
    assert [entry.mask.name for entry in report.written] == ["stack_page1.png", "stack_page2.png"]
    assert report.renamed == ()
    assert (read_mask(tmp_path / "out" / "stack_page1.png") == 0).all()
    assert (read_mask(tmp_path / "out" / "stack_page2.png") == 200).all()
    (reason,) = report.failed.values()
    assert reason.startswith(f"{stack} (page 3): the image has more than 8 bits a channel")


def test_names_of_many_pages_sort_as_the_pages(tmp_path: Path) -> None:
    pages = [Image.fromarray(np.full((8, 8, 3), number, np.uint8)) for number in range(11)]
    pages[0].save(tmp_path / "a.tiff", save_all=True, append_images=pages[1:])
    plan = FilesPlan.make(RED, [str(tmp_path)], tmp_path / "out", overlay=True)
    names = [target.mask.name for target in plan.targets]
    assert names == sorted(names) == [f"a_page{number:02d}.png" for number in range(1, 12)]


def test_a_model_in_python_segments_the_first_page_and_says_so(stack: Path, caplog: pytest.LogCaptureFixture) -> None:
    prediction = Model(PREDICTOR, stack)(stack)
    assert not prediction.mask.any()
    assert caplog.messages == [f"{stack} has 3 pages: the first is segmented; kseg predict segments each"]
