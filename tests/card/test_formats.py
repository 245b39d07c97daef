"""A card in every format: written, read back, replaced, and nothing else of the artifact changed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from kseg.card import CARD_NAME, artifact_format, find_card, read_card, write_card
from kseg.errors import ArtifactError, OutputError
from tests.card.files import CARD, FLATBUFFER, NAMES, NETWORK, XML, main_file, make

LARGE = CARD.with_provenance(note="x" * 10_000)


@pytest.mark.parametrize("name", NAMES)
def test_a_card_is_written_read_and_replaced(tmp_path: Path, name: str) -> None:
    path = make(tmp_path, name)
    assert find_card(path) is None
    for card in (LARGE, CARD, CARD.with_provenance(run="another")):
        write_card(path, card)
        assert read_card(path) == card
    text = main_file(path).read_bytes()
    assert text.count(b"another") == 1
    assert b"xxxx" not in text


@pytest.mark.parametrize("name", NAMES)
def test_a_card_that_is_written_again_changes_no_byte(tmp_path: Path, name: str) -> None:
    path = make(tmp_path, name)
    write_card(path, CARD)
    written = main_file(path).read_bytes()
    write_card(path, CARD)
    assert main_file(path).read_bytes() == written


def test_the_names_say_the_formats(tmp_path: Path) -> None:
    formats = [artifact_format(make(tmp_path, name)) for name in NAMES[:-1]]
    assert formats == ["keras", "saved_model", "tflite", "onnx", "openvino"]
    assert artifact_format(tmp_path / "openvino" / "model.xml") == "openvino"
    assert artifact_format(tmp_path) is None


def test_the_files_of_another_tool_behind_a_flatbuffer_stay(tmp_path: Path) -> None:
    path = make(tmp_path, "m.tflite")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("labels.txt", "background\npet\n")
        archive.writestr("notes.txt", "n" * 5000, zipfile.ZIP_DEFLATED)
    for card in (LARGE, CARD):
        write_card(path, card)
        assert path.read_bytes().startswith(FLATBUFFER + b"PK")
        with zipfile.ZipFile(path) as archive:
            assert archive.testzip() is None
            assert archive.namelist() == ["labels.txt", "notes.txt", CARD_NAME]
            assert archive.read("labels.txt") == b"background\npet\n"
            # TFLite's own reader maps the files into memory.
            assert archive.getinfo(CARD_NAME).compress_type == zipfile.ZIP_STORED
            assert archive.getinfo("notes.txt").compress_type == zipfile.ZIP_DEFLATED


def test_the_weights_of_a_keras_file_stay(tmp_path: Path) -> None:
    path = make(tmp_path, "m.keras")
    with zipfile.ZipFile(path) as archive:
        before = {name: archive.read(name) for name in archive.namelist()}
    write_card(path, LARGE)
    write_card(path, CARD)
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == [*before, CARD_NAME]
        assert {name: archive.read(name) for name in before} == before


def test_the_fields_of_an_onnx_file_stay_and_the_package_onnx_reads_the_card(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    path = make(tmp_path, "m.onnx")
    write_card(path, LARGE)
    write_card(path, CARD)
    assert path.read_bytes().startswith(NETWORK)
    network = onnx.ModelProto.FromString(path.read_bytes().replace(b"\x3a\x05graph", b""))
    assert [(entry.key, entry.value) for entry in network.metadata_props] == [("ab", "cd"), (CARD_NAME, CARD.to_json())]


def test_a_card_that_the_package_onnx_wrote_among_others_is_read(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    path = tmp_path / "m.onnx"
    values = {"a": "", "b": "x" * 300, CARD_NAME: CARD.to_json(), "c": "Ä"}
    entries = [{"key": key, "value": value} for key, value in values.items()]
    path.write_bytes(onnx.ModelProto(ir_version=8, metadata_props=entries).SerializeToString())
    assert read_card(path) == CARD


def test_the_rest_of_an_openvino_file_stays(tmp_path: Path) -> None:
    path = make(tmp_path, "openvino")
    write_card(path, LARGE)
    write_card(path, CARD)
    text = (path / "model.xml").read_text()
    head, _, tail = XML.partition("\t</rt_info>\n</net>")
    assert text.startswith(head)
    assert text.endswith(f"\t</rt_info>\n</net>{tail}")


def test_openvino_keeps_the_card_when_it_saves_the_network_again(tmp_path: Path) -> None:
    openvino = pytest.importorskip("openvino")
    images = openvino.opset13.parameter([1, 4, 4, 3], np.uint8, name="images")
    network = openvino.Model([openvino.opset13.convert(images, "f32")], [images], "m")
    openvino.save_model(network, tmp_path / "model.xml", compress_to_fp16=False)
    write_card(tmp_path, CARD)
    again = openvino.Core().read_model(tmp_path / "model.xml")
    assert again.get_rt_info(["kseg_card"]).astype(str) == CARD.to_json()
    openvino.save_model(again, tmp_path / "again.xml", compress_to_fp16=False)
    assert read_card(tmp_path / "again.xml") == CARD
    write_card(tmp_path / "again.xml", LARGE)  # OpenVINO writes '>' within values as it is
    write_card(tmp_path / "again.xml", CARD)
    assert (tmp_path / "again.xml").read_text().count("kseg_card") == 1
    assert read_card(tmp_path / "again.xml") == CARD


def test_an_openvino_file_without_rt_info_gets_one(tmp_path: Path) -> None:
    path = make(tmp_path, "openvino")
    head, _, _ = XML.partition("\t<rt_info>\n\t\t<Runtime")
    (path / "model.xml").write_text(f"{head}</net>")
    assert find_card(path) is None
    write_card(path, CARD)
    assert read_card(path) == CARD
    assert (path / "model.xml").read_text().startswith(head.rstrip())


def test_weights_of_another_openvino_network_are_told(tmp_path: Path) -> None:
    path = make(tmp_path, "openvino")
    write_card(path, CARD)
    (path / "model.bin").write_bytes(b"weighty")
    with pytest.raises(
        ArtifactError, match=r"openvino: the model is corrupt.*model\.bin beside it is cut off, or holds"
    ):
        read_card(path)
    (path / "model.bin").unlink()
    with pytest.raises(ArtifactError, match=r"no model\.bin with the weights beside it"):
        read_card(path)


def test_nothing_heavy_is_imported_for_a_card(tmp_path: Path) -> None:
    paths = [make(tmp_path, name) for name in NAMES[:-1]]
    program = (
        "import sys; from pathlib import Path; from kseg.card import read_card, write_card\n"
        "from tests.card.files import CARD\n"
        "for path in map(Path, sys.argv[1:]): write_card(path, CARD); read_card(path)\n"
        "print(sorted(sys.modules.keys() & {'tensorflow', 'keras', 'onnx', 'openvino', 'google.protobuf', 'PIL'}))"
    )
    done = subprocess.run([sys.executable, "-c", program, *paths], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[]\n", "")


@pytest.mark.parametrize("name", NAMES)
def test_a_failure_leaves_the_artifact_as_it_was(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make(tmp_path, name)
    write_card(path, LARGE)
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OutputError, match="No space left on device"):
        write_card(path, CARD)
    assert {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()} == before


@pytest.mark.parametrize("name", NAMES[:-1])
def test_a_kill_before_the_end_leaves_the_earlier_card(tmp_path: Path, name: str) -> None:
    """The process is killed when everything is written and only the renaming is missing."""
    path = make(tmp_path, name)
    write_card(path, LARGE)
    program = (
        "import os, signal, sys; from pathlib import Path; from kseg.card import write_card\n"
        "from tests.card.files import CARD\n"
        "os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)\n"
        "write_card(Path(sys.argv[1]), CARD)"
    )
    done = subprocess.run([sys.executable, "-c", program, path], check=False, env=os.environ)
    assert done.returncode == -signal.SIGKILL
    assert read_card(path) == LARGE
