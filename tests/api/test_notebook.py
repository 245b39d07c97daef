"""The Python of README.md and docs/python.md, run cell by cell in a notebook."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient

from kseg.demo.faces import make_faces
from kseg.images import read_mask

ROOT = Path(__file__).parents[2]

SMALLER = {
    'encoder="mobilenetv2", epochs=30': "imgsz=[32, 32], widths=[4, 8], batch=4, epochs=2",
    '"photos.yaml", epochs=30': '"photos.yaml", epochs=1',
    'encoder="resnet34"': "encoder_channels=(4, 8)",
    '    encoder_weights="imagenet",\n': "",
    "(256, 256": "(32, 32",
    "epochs=30": "epochs=1",
    'run = kseg.fit("photos.yaml"': 'kseg.fit("photos.yaml"',
    '"saved_models/photos"': '"saved_models/photos", num_runs=2',
}
"""Only what costs time, or weights, is replaced; everything else is run as it is printed."""


def cells(page: str) -> list[str]:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL)
    assert blocks, f"{page} has lost its Python"
    for old, new in SMALLER.items():
        blocks = [block.replace(old, new) for block in blocks]
    return blocks


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A folder with ``photos``, ``photos.yaml`` and three pictures."""
    faces = make_faces(tmp_path / "photos", 30, size=(40, 32), seed=1)
    for name, source in zip(("photo.jpg", "a.jpg", "b.jpg"), sorted((faces / "images").iterdir()), strict=False):
        shutil.copy(source, tmp_path / name)
    text = "data: {root: photos}\nmodel: {widths: [4, 8]}\ntrain: {imgsz: 32, batch: 4}\nrun: {name: second}\n"
    (tmp_path / "photos.yaml").write_text(text)
    return tmp_path


def execute(sources: list[str], folder: Path) -> nbformat.NotebookNode:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    client = NotebookClient(notebook, timeout=240, kernel_name="python3", resources={"metadata": {"path": str(folder)}})
    return client.execute()


def shown(notebook: nbformat.NotebookNode, kind: str) -> list[str]:
    outputs = [output for cell in notebook.cells for output in cell.outputs]
    return [output.data[kind] for output in outputs if kind in output.get("data", {})]


def test_the_readme_runs_in_a_notebook(desk: Path) -> None:
    execute(cells("README.md"), desk)
    assert set(np.unique(read_mask(desk / "mask.png"))) <= {0, 255}
    assert (desk / "saved_models" / "photos" / "model_int8.tflite").is_file()


def test_the_page_on_python_runs_in_a_notebook_and_results_are_tables_and_pictures(desk: Path) -> None:
    display = ["run", "scores", "scores.per_class", "result", "kseg.check('photos')"]
    notebook = execute([*cells("docs/python.md"), *display], desk)
    pages = shown(notebook, "text/html")
    assert any("best epoch" in page for page in pages)
    assert any("Means, over the dataset" in page for page in pages)
    assert any("model_int8.tflite" in page for page in pages)
    assert shown(notebook, "image/png")
    assert (desk / "photos.keras").is_file()
