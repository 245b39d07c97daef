"""The card itself: its JSON, what is refused in it, and class ids from scores."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kseg.card import ModelCard
from kseg.errors import ArtifactError
from kseg.labels import LabelMap
from tests.card.files import CARD


def test_json_round_trip() -> None:
    card = CARD.with_provenance(epoch=3)
    assert ModelCard.from_json(card.to_json(), where="x") == card


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


def test_a_card_of_another_format_names_both() -> None:
    with pytest.raises(ArtifactError, match="another format; expected 2; found 99"):
        ModelCard.from_json(CARD.to_json().replace('"format": 2', '"format": 99'), where="x")


def changed(**values: Any) -> str:
    """The text of `CARD` with other values."""
    return json.dumps({**json.loads(CARD.to_json()), **values})


def labels(**values: Any) -> str:
    return changed(labels={**json.loads(CARD.to_json())["labels"], **values})


ABSURD = [
    (changed(height=10**9), "height: 1000000000 instead of pixels in 1..16384"),
    (changed(width=0), "width: 0 instead of pixels"),
    (changed(width=96.5), "width: 96.5 instead of a value of the type int"),
    (changed(height=True), "height: True instead of a value of the type int"),
    (changed(height="96"), "height: '96' instead of a value of the type int"),
    (changed(threshold=float("nan")), "the number NaN"),
    (changed(threshold=1.5), "threshold: 1.5 instead of a number in 0..1"),
    (changed(threshold=None), "threshold: None instead of a number in 0..1"),
    (changed().replace("0.4", "1e999"), "the number 1e999"),
    (changed().replace('"height": 96', '"height": ' + "9" * 5000), "Exceeds the limit"),
    (changed().replace('"height": 96', '"height": 96, "height": 97'), "the key 'height' twice"),
    (changed(name=None), "name: None instead of a value of the type str"),
    (changed(name="a\x1b[2Jb"), "name: a control character in"),
    (changed(name="a\ud800"), "surrogates not allowed"),
    (changed(activation="relu"), "activation: 'relu' instead of one of softmax, sigmoid"),
    (changed(network=[]), "network: [] instead of a value of the type dict"),
    (changed(provenance=[[[]]]), "provenance: [[[]]] instead of a value of the type dict"),
    (labels(names=["c"] * 500_000), "labels: not a map of at most 255 classes"),
    (labels(values=[[0, "pet"]] * 10**5), "labels: not a map of at most 255 classes and 65537 mask values"),
    (labels(names=["background", "a\nb"]), r"labels: a control character in the class name 'a\nb'"),
    (labels(names=["background"]), "a segmentation needs at least two classes"),
    (labels(names=7), "object of type 'int' has no len()"),
    (changed(labels="no"), "labels: not a map"),
    (changed(provenance={"x": json.loads("[" * 100 + "]" * 100)}), "JSON that is nested too deeply"),
    (CARD.to_json()[:-1] + ', "x": ' + "[" * 10**5 + "]" * 10**5 + "}", "JSON that is nested too deeply"),
    ("[]", "JSON of a list instead of an object"),
    ("{}", "no key 'format'"),
    ("", "Expecting value"),
    (CARD.to_json().encode("utf-16"), "can't decode byte"),
    (b'{"format": 2, "name": "\xff"}', "can't decode byte"),
    (" " * (4 * 2**20 + 1), "a model card of 4194305 bytes; at most 4194304 are read"),
]


@pytest.mark.parametrize(("text", "message"), ABSURD, ids=[message for _, message in ABSURD])
def test_an_absurd_card_is_one_line_that_names_the_value(text: str | bytes, message: str) -> None:
    with pytest.raises(ArtifactError) as caught:
        ModelCard.from_json(text, where="m.keras")
    assert str(caught.value).startswith("m.keras: the model card cannot be read; found ")
    assert message in str(caught.value)
    assert len(str(caught.value)) < 400
    assert caught.value.exit_code == 1


@given(st.binary() | st.text().map(lambda text: '{"format": 2, "name": %r}' % text))  # noqa: UP031
def test_no_bytes_make_a_card_reader_crash(data: bytes | str) -> None:
    with pytest.raises(ArtifactError):
        ModelCard.from_json(data, where="x")
