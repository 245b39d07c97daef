from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kseg.card import CARD_NAME, ModelCard, append_card, read_card
from kseg.errors import ArtifactError
from kseg.labels import LabelMap

CARD = ModelCard("pets", "unet", 96, 128, LabelMap(("background", "pet"), {2: "background", 1: "pet"}), threshold=0.4)


def test_json_round_trip() -> None:
    card = CARD.with_provenance(epoch=3)
    assert ModelCard.from_json(card.to_json(), where="x") == card


@pytest.mark.parametrize("prefix", [b"", b"\x1c\x00\x00\x00TFL3 any flatbuffer"])
def test_the_card_rides_at_the_end_of_a_file(tmp_path: Path, prefix: bytes) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(prefix)
    append_card(path, CARD)
    assert read_card(path) == CARD
    assert path.read_bytes().startswith(prefix)


def test_binary_scores_become_ids_at_the_threshold() -> None:
    np.testing.assert_array_equal(CARD.class_ids(np.array([[0.39], [0.4]], np.float32)), [0, 1])
    np.testing.assert_array_equal(CARD.class_ids(np.array([[0.39], [0.4]], np.float32), threshold=0.5), [0, 0])


def test_softmax_scores_become_the_largest() -> None:
    card = ModelCard("x", "unet", 8, 8, LabelMap(("a", "b", "c")))
    assert (card.activation, card.channels) == ("softmax", 3)
    np.testing.assert_array_equal(card.class_ids(np.array([[0.2, 0.5, 0.3]], np.float32)), [1])


def test_classes_that_are_decided_each_by_itself_stay_so() -> None:
    card = ModelCard("x", "unet", 8, 8, LabelMap(("a", "b", "c")), activation="sigmoid")
    assert card.activation == "sigmoid"
    assert ModelCard.from_json(card.to_json(), where="x") == card
    np.testing.assert_array_equal(card.class_ids(np.array([[0.9, 0.95, 0.3]], np.float32)), [1])


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"none\.keras: no such model"):
        read_card(tmp_path / "none.keras")


def test_a_text_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "m.keras"
    path.write_text("hello")
    with pytest.raises(ArtifactError, match="corrupt or not kseg's"):
        read_card(path)


def test_a_zip_without_card_is_not_ours(tmp_path: Path) -> None:
    path = tmp_path / "m.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{}")
    with pytest.raises(ArtifactError, match=r"the model has no kseg card.*train it with kseg"):
        read_card(path)


def test_a_folder_without_model_is_told(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"not a model; expected a SavedModel folder"):
        read_card(tmp_path)


def test_a_card_of_another_format_names_both() -> None:
    with pytest.raises(ArtifactError, match="another format; expected 2; found 99"):
        ModelCard.from_json(CARD.to_json().replace('"format": 2', '"format": 99'), where="x")


@given(st.binary() | st.text().map(lambda text: '{"format": 2, "name": %r}' % text))  # noqa: UP031
def test_no_bytes_make_a_card_reader_crash(data: bytes | str) -> None:
    with pytest.raises(ArtifactError):
        ModelCard.from_json(data, where="x")


@given(cut=st.integers(0, 200))
def test_a_truncated_archive_is_told(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    path = tmp_path_factory.mktemp("cut") / "m.keras"
    append_card(path, CARD)
    data = path.read_bytes()
    path.write_bytes(data[: max(0, len(data) - 1 - cut)])
    with pytest.raises(ArtifactError):
        read_card(path)


@given(st.data())
def test_a_damaged_onnx_file_is_told(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    path = tmp_path_factory.mktemp("cut") / "m.onnx"
    append_card(path, CARD)
    assert read_card(path) == CARD
    whole = path.read_bytes()
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    with pytest.raises(ArtifactError):
        read_card(path)
    path.write_bytes(data.draw(st.binary()))
    with pytest.raises(ArtifactError):
        read_card(path)


def test_the_members_name_is_fixed(tmp_path: Path) -> None:
    """Files already written carry this name."""
    append_card(tmp_path / "m.keras", CARD)
    assert zipfile.ZipFile(tmp_path / "m.keras").namelist() == [CARD_NAME] == ["kseg_card.json"]
