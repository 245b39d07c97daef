from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kseg.errors import ConfigError
from kseg.labels import IGNORE_INDEX, LabelMap, canonical_name, default_colors

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
        (("a", "a"), {}, "a class name occurs twice; found a"),
        (("a", "ignore"), {}, "'ignore' is a reserved word; found a, ignore"),
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


def test_a_control_character_in_a_name_is_refused() -> None:
    message = r"data.classes: a control character in a class name; found 'a\\x07b'; write the name without it"
    with pytest.raises(ConfigError, match=message):
        LabelMap(("background", "a\x07b"))


def test_a_class_may_be_called_other() -> None:
    labels = LabelMap(("road", "other"), {7: "road", "other": "other"})
    np.testing.assert_array_equal(labels.encode(np.array([[7, 8]])), [[0, 1]])


@pytest.mark.parametrize(
    "name",
    ["background", "Background", "BACKGROUND", "bg", "BG", "_background_", "__background__", "back ground",
     "Back-Ground", "back_ground", " background\t", "__bg__"],
)  # fmt: skip
def test_the_background_has_many_spellings(name: str) -> None:
    assert canonical_name(name) == "background"
    labels = LabelMap((name, "cat"), {0: name, 1: "cat"})
    assert labels.names == ("background", "cat")
    assert labels.foreground == (1,)


@pytest.mark.parametrize("name", ["void", "other", "unlabeled", "Ignore", "backgrounds", "Backyard", "b g", "Cat"])
def test_other_names_are_unchanged(name: str) -> None:
    assert canonical_name(name) == name


@given(st.text())
def test_a_canonical_name_is_canonical(name: str) -> None:
    assert canonical_name(canonical_name(name)) == canonical_name(name)


def test_names_that_differ_in_blanks_are_one_class_and_keep_their_values() -> None:
    labels = LabelMap(
        ("background", "disc ", "disc", "optic  cup"), colors=((0, 0, 0), (1, 1, 1), (2, 2, 2), (3, 3, 3))
    )
    assert labels.names == ("background", "disc", "optic cup")
    assert labels.values == {0: "background", 1: "disc", 2: "disc", 3: "optic cup"}
    assert labels.colors == ((0, 0, 0), (1, 1, 1), (3, 3, 3))


def message_of(names: tuple[str, ...], values: dict[int | str, str], **settings: object) -> str:
    with pytest.raises(ConfigError) as caught:
        LabelMap(names, values, **settings)
    return str(caught.value)


def test_the_remedy_for_a_late_background_keeps_the_meaning_of_the_values() -> None:
    assert message_of(("cat", "Background", "dog"), {}) == (
        "data.classes: the background is not the first class; found cat, background, dog; write data.classes: "
        "[background, cat, dog] and data.values: {0: cat, 1: background, 2: dog}"
    )
    repaired = LabelMap(("background", "cat", "dog"), {0: "cat", 1: "background", 2: "dog"})
    np.testing.assert_array_equal(repaired.encode(np.array([[0, 1, 2]])), [[1, 0, 2]])
    colors = ((1, 1, 1), (0, 0, 0))
    assert message_of(("cat", "bg"), {}, colors=colors).endswith(", and data.colors in the order of these classes")


def test_names_that_differ_only_in_case_are_refused() -> None:
    assert message_of(("background", "disc", "Disc"), {}) == (
        "data.classes: two class names differ only in case; found disc, Disc; if they are the same class, write "
        "data.classes: [background, disc] and data.values: {0: background, 1: disc, 2: disc}; otherwise, rename one of "
        "them"
    )
    repaired = LabelMap(("background", "disc"), {0: "background", 1: "disc", 2: "disc"})
    np.testing.assert_array_equal(repaired.encode(np.array([[0, 1, 2]])), [[0, 1, 1]])


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


COLORS = LabelMap(("road", "car"), {"#804080": "road", "#00008E": "car", "#000000": "ignore"})


def packed(*colors: int) -> np.ndarray:
    return np.array([colors], np.int32)


def test_colors_on_disk_are_encoded_and_written_back() -> None:
    ids = COLORS.encode(packed(0x804080, 0x00008E, 0))
    np.testing.assert_array_equal(ids, [[0, 1, IGNORE_INDEX]])
    np.testing.assert_array_equal(COLORS.decode(np.array([[0, 1]], np.uint8)), [[[128, 64, 128], [0, 0, 142]]])


def test_colors_on_disk_are_shown_as_they_are_unless_others_are_given() -> None:
    assert COLORS.colors == ((128, 64, 128), (0, 0, 142))
    shown = ((1, 2, 3), (4, 5, 6))
    assert LabelMap(COLORS.names, COLORS.values, shown).colors == shown


def test_an_unknown_color_is_named_as_it_would_be_listed() -> None:
    assert COLORS.unmapped(packed(0x804080, 0xFF8000)) == ["#ff8000"]


def test_other_stands_for_every_unlisted_color() -> None:
    labels = LabelMap(("background", "car"), {"other": "background", "#00008e": "car"})
    np.testing.assert_array_equal(labels.encode(packed(0x00008E, 0x123456)), [[1, 0]])
    np.testing.assert_array_equal(labels.disk_values(), [[0, 0, 0], [0, 0, 142]])


def test_the_nearest_color_is_by_distance_in_rgb() -> None:
    labels = LabelMap(COLORS.names, COLORS.values, match="nearest")
    np.testing.assert_array_equal(labels.encode(packed(0x824182, 0x101020, 0x10109E)), [[0, IGNORE_INDEX, 1]])


@given(st.lists(st.integers(0, 255), min_size=2, max_size=6, unique=True), st.integers(0, 255))
def test_the_nearest_value_is_by_difference(listed: list[int], value: int) -> None:
    names = tuple(f"c{v}" for v in listed)
    labels = LabelMap(names, dict(zip(listed, names, strict=True)), match="nearest")
    actual = listed[int(labels.encode(np.array([[value]]))[0, 0])]
    assert abs(actual - value) == min(abs(v - value) for v in listed)


def test_a_threshold_divides_smoothed_edges() -> None:
    labels = LabelMap(("background", "person"), threshold=128)
    np.testing.assert_array_equal(labels.encode(np.array([[0, 127, 128, 255, 9000]])), [[0, 0, 1, 1, 1]])
    inverted = LabelMap(("background", "person"), {0: "person", 255: "background"}, threshold=100)
    np.testing.assert_array_equal(inverted.encode(np.array([[0, 99, 100, 255]])), [[1, 1, 0, 0]])


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ({"values": {0: "a", "#ffffff": "b"}}, "values and colours are mixed"),
        ({"values": {0: "a", "other": "b"}, "match": "nearest"}, "no value is left for 'other'"),
        ({"values": {0: "a", 1: "b"}, "threshold": 3}, "a threshold leaves the values 0 and 255 only"),
        ({"values": {"#12345": "a", 1: "b"}}, "not a mask value"),
    ],
)
def test_matching_that_cannot_be_is_refused(labels: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        LabelMap(("a", "b"), **labels)


@pytest.mark.parametrize("labels", [COLORS, LabelMap(("a", "b"), threshold=7), LabelMap(("a", "b"), match="nearest")])
def test_every_kind_of_map_survives_json(labels: LabelMap) -> None:
    assert LabelMap.from_json(json.loads(json.dumps(labels.to_json()))) == labels
