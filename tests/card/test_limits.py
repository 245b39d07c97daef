"""Cards that are too large, compressed bombs, and other ways to make a reader work or wait without end."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path

import pytest

from kseg.card import CARD_NAME, find_card, read_card, write_card
from kseg.errors import ArtifactError
from tests.card.files import CARD, FLATBUFFER, NAMES, NETWORK, XML, main_file, make

HUGE = b'{"format": 2, "name": "' + b"x" * (5 * 2**20) + b'"}'
ZIPS = ("m.keras", "m.tflite")


def with_member(path: Path, compression: int, data: bytes) -> None:
    with zipfile.ZipFile(path, "a", compression) as archive:
        archive.writestr(CARD_NAME, data)


@pytest.mark.parametrize("name", ZIPS)
def test_a_bomb_is_refused_before_it_is_decompressed(tmp_path: Path, name: str) -> None:
    path = make(tmp_path, name)
    with_member(path, zipfile.ZIP_DEFLATED, bytes(200 * 2**20))
    assert path.stat().st_size < 2**20
    with pytest.raises(ArtifactError, match="a model card of 209715200 bytes; at most 4194304 are read"):
        read_card(path)


def test_a_bomb_that_lies_about_its_size_is_read_up_to_that_size(tmp_path: Path) -> None:
    path = make(tmp_path, "m.keras")
    with_member(path, zipfile.ZIP_DEFLATED, bytes(200 * 2**20))
    size = struct.pack("<I", 200 * 2**20)
    path.write_bytes(path.read_bytes().replace(size, struct.pack("<I", 100)))
    with pytest.raises(ArtifactError, match=r"m\.keras: the model is corrupt.*Bad CRC-32"):
        read_card(path)


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_compressions_that_cannot_be_undone_in_small_steps_are_refused(tmp_path: Path, compression: int) -> None:
    path = make(tmp_path, "m.keras")
    with_member(path, compression, CARD.to_json().encode())
    with pytest.raises(ArtifactError, match=f"compressed by method {compression}, which zip archives rarely use"):
        read_card(path)


def test_an_encrypted_card_is_refused(tmp_path: Path) -> None:
    path = make(tmp_path, "m.keras")
    write_card(path, CARD)
    data = bytearray(path.read_bytes())
    local, central = data.rfind(b"PK\x03\x04"), data.rfind(b"PK\x01\x02")
    data[local + 6] |= 1
    data[central + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(ArtifactError, match=r"m\.keras: the model is corrupt.*encrypted"):
        read_card(path)


def test_an_archive_of_a_hundred_thousand_members_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.keras"
    entry = struct.pack("<4s4B4HL2L5H2L", b"PK\x01\x02", 20, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"x"
    directory = entry * 100_000
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, len(directory), 0, 0)
    path.write_bytes(directory + end)
    with pytest.raises(ArtifactError, match="the zip archive lists too many members"):
        read_card(path)


def test_two_cards_in_an_archive_are_one_after_a_replacement(tmp_path: Path) -> None:
    path = make(tmp_path, "m.tflite")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(CARD_NAME, CARD.with_provenance(run=1).to_json())
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr(CARD_NAME, CARD.with_provenance(run=2).to_json())
    assert read_card(path).provenance["run"] == 2
    write_card(path, CARD)
    assert read_card(path) == CARD
    assert path.read_bytes().startswith(FLATBUFFER)
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == [CARD_NAME]


@pytest.mark.parametrize("name", NAMES[:-1])
def test_a_card_of_five_megabytes_is_refused(tmp_path: Path, name: str) -> None:
    path = make(tmp_path, name)
    write_card(path, CARD)
    if name in ZIPS:
        path = make(tmp_path, name)
        with_member(path, zipfile.ZIP_STORED, HUGE)
    elif name == "m.onnx":
        entry = b"\x0a\x0e" + CARD_NAME.encode() + b"\x12" + varint(len(HUGE)) + HUGE
        path.write_bytes(NETWORK + b"\x72" + varint(len(entry)) + entry)
    elif name == "openvino":
        text = HUGE.decode().replace('"', "&quot;")
        (path / "model.xml").write_text(XML.replace("<Runtime", f'<kseg_card value="{text}" /><Runtime'))
    else:
        main_file(path).write_bytes(HUGE)
    with pytest.raises(ArtifactError, match=r"a model card of \d+ bytes; at most 4194304 are read"):
        read_card(path)


def varint(number: int) -> bytes:
    digits = [number >> shift & 127 for shift in range(0, 28, 7)]
    return bytes([digit | 128 for digit in digits[:-1]] + digits[-1:])


def test_an_onnx_file_of_very_many_fields_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(b"\x08\x08" * 200_000)
    with pytest.raises(ArtifactError, match="too many fields"):
        read_card(path)
    entry = b"\x18\x01" * 200_000
    path.write_bytes(b"\x72" + varint(len(entry)) + entry)
    with pytest.raises(ArtifactError, match="too many fields"):
        read_card(path)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x72\xff\xff\xff\xff\xff\xff\xff\xff\x7f", "not a whole protocol buffer"),
        (b"\x08" + b"\xff" * 20, "not a protocol buffer"),
        (b"\x3a\x05net", "not a whole protocol buffer"),
        (b"\x0b\x00", "not a protocol buffer"),
        (b"\x08", "it ends within a field"),
        (b"\x02\x00\x00", "not a whole protocol buffer"),
    ],
)
def test_framing_of_onnx_that_is_wrong_is_refused(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(data)
    with pytest.raises(ArtifactError, match=message):
        read_card(path)


BOMB = """<?xml version="1.0"?>
<!DOCTYPE net [<!ENTITY a "{}"> <!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>
"""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (XML.replace('<?xml version="1.0"?>\n', BOMB), "no XML with the element <net> at its start"),
        (XML.replace("<Runtime_version", "&a;<Runtime_version"), "the XML of its rt_info is damaged: undefined entity"),
        (XML.replace("<Runtime_version", "<a>" * 1000 + "<Runtime_version"), "nested too deeply"),
        (XML.replace("</conversion>", ""), "the XML of its rt_info is damaged: mismatched tag"),
        (XML.replace("</net>", ""), "it does not end with </net>"),
        (XML.replace("<net ", "<not "), "no XML with the element <net> at its start"),
        (XML.replace("<Runtime_version value", "<Runtime_version value='' value"), "duplicate attribute"),
    ],
)
def test_xml_that_is_wrong_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = make(tmp_path, "openvino")
    (path / "model.xml").write_text(text)
    with pytest.raises(ArtifactError, match=message):
        find_card(path)


def test_xml_of_blanks_takes_no_time(tmp_path: Path) -> None:
    path = make(tmp_path, "openvino")
    (path / "model.xml").write_text(" " * 2**22)
    with pytest.raises(ArtifactError, match="no XML with the element <net>"):
        find_card(path)
    (path / "model.xml").write_text("<net>" + " " * 2**22)
    with pytest.raises(ArtifactError, match="it does not end with </net>"):
        find_card(path)
