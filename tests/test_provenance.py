"""Marks of who wrote a file: they change nothing else, travel with the file, and end with a change of it."""

from __future__ import annotations

import io
import json
import shutil
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import yaml
from PIL import Image

from kseg.errors import OutputError
from kseg.files import write_json
from kseg.images import jpeg_bytes, png_bytes, read_image, read_mask
from kseg.provenance import Origin, is_marked, mark_file, origin_of, require_replaceable, write_marked

MASK = (np.arange(600, dtype=np.uint8) % 3).reshape(20, 30)
PHOTO = np.random.default_rng(0).integers(0, 256, (20, 30, 3)).astype(np.uint8)
SVG = b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>\n'


def npz_bytes(scores: npt.NDArray[np.uint8]) -> bytes:
    data = io.BytesIO()
    np.savez_compressed(data, scores=scores)
    return data.getvalue()


FILES = {
    "a.png": png_bytes(MASK),
    "a.jpg": jpeg_bytes(PHOTO),
    "a.npz": npz_bytes(PHOTO),
    "a.json": b'{\n  "scores": [\n    0.5\n  ]\n}\n',
    "a.svg": SVG,
    "a.yaml": b"# Written by kseg\ndata: {}\n",
}


def origin_in(folder: Path) -> Origin:
    # A name with everything that could break a format.
    return Origin.of("kseg predict", folder / "day1" / 'é-- "\\{}日.jpg')


@pytest.mark.parametrize("name", FILES)
def test_the_mark_of_every_format_is_read_back(tmp_path: Path, name: str) -> None:
    write_marked(tmp_path / name, FILES[name], origin_in(tmp_path))
    assert origin_of(tmp_path / name) == origin_in(tmp_path)


def test_marked_files_hold_what_they_held(tmp_path: Path) -> None:
    for name, data in FILES.items():
        write_marked(tmp_path / name, data, origin_in(tmp_path))
    np.testing.assert_array_equal(read_mask(tmp_path / "a.png"), MASK)
    with Image.open(io.BytesIO(FILES["a.jpg"])) as unmarked:
        np.testing.assert_array_equal(read_image(tmp_path / "a.jpg"), np.asarray(unmarked))
    with np.load(tmp_path / "a.npz") as archive:
        assert archive.files == ["scores"]
        np.testing.assert_array_equal(archive["scores"], PHOTO)
    data = json.loads((tmp_path / "a.json").read_text())
    assert data["scores"] == [0.5]
    assert data["made_by"]["command"] == "kseg predict"
    assert ET.parse(tmp_path / "a.svg").getroot().tag.endswith("svg")
    assert yaml.safe_load((tmp_path / "a.yaml").read_text()) == {"data": {}}
    with Image.open(tmp_path / "a.png") as picture:
        picture.verify()


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_was_changed_is_no_longer_kseg_s(tmp_path: Path, name: str) -> None:
    write_marked(tmp_path / name, FILES[name], origin_in(tmp_path))
    data = bytearray((tmp_path / name).read_bytes())
    data[10] ^= 1
    (tmp_path / name).write_bytes(data)
    assert origin_of(tmp_path / name) is None


def test_a_mask_that_an_editor_saved_is_no_longer_kseg_s(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    write_marked(path, FILES["a.png"], origin_in(tmp_path))
    with Image.open(path) as picture:
        picture.load()
    picture.save(path)
    assert origin_of(path) is None
    assert not is_marked(path)


@pytest.mark.parametrize("name", FILES)
def test_unmarked_files_have_no_origin(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(FILES[name])
    assert origin_of(tmp_path / name) is None
    assert not is_marked(tmp_path / name)
    for content in (b"", b"text", FILES[name][:4]):
        (tmp_path / name).write_bytes(content)
        assert origin_of(tmp_path / name) is None


@pytest.mark.parametrize(("name", "marked"), [("a.png", True), ("a.jpg", True), ("a.json", False)])
def test_marked_pictures_are_recognised_by_their_first_bytes(tmp_path: Path, name: str, marked: bool) -> None:
    write_marked(tmp_path / name, FILES[name], origin_in(tmp_path))
    assert is_marked(tmp_path / name) is marked
    assert not is_marked(tmp_path / "nowhere.png")


def test_files_and_inputs_may_move_together(tmp_path: Path) -> None:
    (tmp_path / "old" / "masks").mkdir(parents=True)
    write_marked(tmp_path / "old" / "masks" / "a.png", FILES["a.png"], origin_in(tmp_path / "old"))
    shutil.copytree(tmp_path / "old", tmp_path / "new")
    assert origin_of(tmp_path / "new" / "masks" / "a.png") == origin_in(tmp_path / "new")
    shutil.copy(tmp_path / "old" / "masks" / "a.png", tmp_path / "a.png")
    assert origin_of(tmp_path / "a.png") != origin_in(tmp_path / "old")


def test_a_link_is_the_file_that_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(FILES["a.jpg"])
    (tmp_path / "link.jpg").symlink_to("photo.jpg")
    assert Origin.of("kseg predict", tmp_path / "link.jpg") == Origin.of("kseg predict", tmp_path / "photo.jpg")


def test_a_file_that_was_just_written_is_marked(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"images": 3})
    mark_file(tmp_path / "a.json", origin_in(tmp_path))
    assert origin_of(tmp_path / "a.json") == origin_in(tmp_path)
    assert json.loads((tmp_path / "a.json").read_text())["images"] == 3
    (tmp_path / "a.pdf").write_bytes(b"%PDF-1.4")
    mark_file(tmp_path / "a.pdf", origin_in(tmp_path))
    assert (tmp_path / "a.pdf").read_bytes() == b"%PDF-1.4"


def require(path: Path, origin: Origin) -> None:
    require_replaceable(path, origin, option="--json")


def test_new_files_and_own_ones_are_replaceable(tmp_path: Path) -> None:
    require(tmp_path / "a.json", origin_in(tmp_path))
    write_marked(tmp_path / "a.json", FILES["a.json"], origin_in(tmp_path))
    require(tmp_path / "a.json", origin_in(tmp_path))


def test_a_user_s_file_is_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(FILES["a.json"])
    with pytest.raises(OutputError) as caught:
        require(path, Origin.of("kseg evaluate", tmp_path / "run"))
    assert str(caught.value) == (
        f"{path}: a file is never replaced unless the same command wrote it; expected one that kseg evaluate wrote; "
        "found a file of yours, or one that was changed since; choose another --json, or remove this file"
    )


def test_another_command_s_file_is_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_marked(path, FILES["a.json"], Origin.of("kseg benchmark", tmp_path / "run"))
    with pytest.raises(OutputError, match="expected one that kseg evaluate wrote; found one that kseg benchmark wrote"):
        require(path, Origin.of("kseg evaluate", tmp_path / "run"))


def test_a_file_made_from_another_input_is_never_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_marked(Path("a.json"), FILES["a.json"], Origin.of("kseg evaluate", "runs/a", "/photos"))
    with pytest.raises(OutputError) as caught:
        require(Path("a.json"), Origin.of("kseg evaluate", "runs/b", "/photos"))
    assert str(caught.value) == (
        "a.json: the file was made from another input; expected runs/b, /photos; found runs/a, /photos; "
        "choose another --json, or remove this file"
    )


def test_only_files_are_written_to(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="not a file to write to; found a folder; choose another --json"):
        require(tmp_path, origin_in(tmp_path))
    with pytest.raises(OutputError, match="/dev/null: not a file to write to; found no regular file"):
        require(Path("/dev/null"), origin_in(tmp_path))
