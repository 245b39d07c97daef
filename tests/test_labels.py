from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kseg.errors import ConfigError
from kseg.labels import IGNORE_INDEX, LabelMap, default_colors

TRIMAP = LabelMap(("background", "pet"), {1: "pet", 2: "background", 3: "ignore"})


def test_values_default_to_the_class_ids() -> None:
    assert LabelMap(("a", "b", "c")).values == {0: "a", 1: "b", 2: "c"}


def test_encode_maps_disk_values_to_ids() -> None:
    ids = TRIMAP.encode(np.array([[1, 2, 3]]))
    np.testing.assert_array_equal(ids, [[1, 0, IGNORE_INDEX]])
    assert ids.dtype == np.uint8


def test_decode_writes_the_original_values() -> None:
    np.testing.assert_array_equal(TRIMAP.decode(np.array([[0, 1]], np.uint8)), [[2, 1]])


def test_other_stands_for_every_unlisted_value() -> None:
    labels = LabelMap(("background", "eyeglasses"), {3: "eyeglasses", "other": "background"})
    np.testing.assert_array_equal(labels.encode(np.array([[0, 3, 18, 60000]])), [[0, 1, 0, 0]])
    np.testing.assert_array_equal(labels.disk_values(), [0, 3])


def test_unmapped_values_are_named() -> None:
    mask = np.array([[1, 0, 255]])
    assert TRIMAP.unmapped(mask) == [0, 255]
    with pytest.raises(ValueError, match=r"\[0, 255\]"):
        TRIMAP.encode(mask)


def test_values_past_a_byte_are_written_as_16_bit() -> None:
    labels = LabelMap(("background", "x"), {0: "background", 1000: "x"})
    assert labels.decode(np.array([[1]], np.uint8)).dtype == np.uint16


def test_binary_is_background_and_one_class() -> None:
    assert TRIMAP.is_binary
    assert TRIMAP.foreground == (1,)
    assert not LabelMap(("cat", "dog")).is_binary
    assert LabelMap(("cat", "dog")).foreground == (0, 1)


@pytest.mark.parametrize(
    ("names", "values", "message"),
    [
        (("a",), {}, "data.classes: a segmentation needs at least two classes; expected 2 to 255 names; found 1"),
        (("a", "a"), {}, "a class name stands twice; found a"),
        (("a", "background"), {}, "the background is not the first class"),
        (("a", "ignore"), {}, "'ignore' and 'other' are reserved words"),
        (("a", "b"), {0: "a", 1: "c"}, "data.values.1: unknown class; expected one of a, b, ignore; found 'c'"),
        (("a", "b"), {0: "a"}, "data.values: a class has no mask value; found no value for b"),
        (("a", "b"), {0: "a", -1: "b"}, "data.values.-1: not a mask value"),
        (("a", "b"), {0: "a", True: "b"}, "data.values.True: not a mask value"),
    ],
)
def test_contradictions_are_told(names: tuple[str, ...], values: dict[int | str, str], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        LabelMap(names, values)
    assert message in str(caught.value)


@given(st.dictionaries(st.integers(0, 65535), st.sampled_from(["background", "x", "ignore"]), max_size=30))
def test_json_and_masks_make_the_round_trip(extra: dict[int, str]) -> None:
    labels = LabelMap(("background", "x"), {**extra, 7: "background", 8: "x"})
    again = LabelMap.from_json(json.loads(json.dumps(labels.to_json())))
    assert again == labels
    ids = np.array([[0, 1, 1]], np.uint8)
    np.testing.assert_array_equal(again.encode(again.decode(ids)), ids)


def test_default_colors_differ_and_start_black_for_a_background() -> None:
    colors = default_colors(20, background=True)
    assert colors[0] == (0, 0, 0)
    assert len(set(colors)) == 20
