from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kseg.data.dataset import Dataset
from kseg.data.formats.outlines import draw_polygons
from kseg.data.objects import OBJECT_VOID, draw_order
from kseg.data.run_lengths import Encoded
from kseg.data.sample import Sample
from kseg.data.truth import read_truth
from kseg.errors import DataError
from kseg.images import write_png
from kseg.labels import IGNORE_INDEX, LabelMap

SIZE = (20, 30)


def box(top: int, left: int, bottom: int, right: int) -> list[float]:
    return [left, top, right, top, right, bottom, left, bottom]


def outline(points: list[float]) -> Encoded:
    encoded, _ = draw_polygons([points], SIZE)
    assert encoded is not None
    return encoded


def drawn(*objects: tuple[int, list[float]]) -> np.ndarray:
    return draw_order(Path("a.json"), SIZE, [(value, outline(points)) for value, points in objects]).draw()


def test_an_outline_covers_its_inside() -> None:
    expected = np.zeros(SIZE, np.uint16)
    expected[5:10, 3:20] = 7
    np.testing.assert_array_equal(drawn((7, box(5, 3, 10, 20))), expected)


@pytest.mark.parametrize("order", [1, -1])
def test_small_objects_lie_over_large_ones_whatever_the_order(order: int) -> None:
    mask = drawn(*[(1, box(0, 0, 20, 30)), (2, box(5, 5, 15, 15)), (3, box(8, 8, 10, 10))][::order])
    assert [mask[0, 0], mask[6, 6], mask[9, 9]] == [1, 2, 3]


def test_voids_lie_beneath_everything() -> None:
    mask = drawn((2, box(0, 0, 20, 30)), (OBJECT_VOID, box(5, 5, 15, 15)))
    assert (mask == 2).all()


def test_what_is_outside_the_picture_is_cut_off() -> None:
    assert (drawn((1, box(-5, -1e9, 50, 1e12))) == 1).all()


def test_a_data_set_of_objects_survives_its_record(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", np.zeros((*SIZE, 3), np.uint8))
    (tmp_path / "a.json").write_text("{}")
    objects = draw_order(tmp_path / "a.json", SIZE, [(18, outline(box(1, 1, 9, 9)))])
    sample = Sample("a", tmp_path / "a.png", objects)
    dataset = Dataset(tmp_path, LabelMap(("background", "dog"), {0: "background", 18: "dog"}), {"train": (sample,)})
    dataset.save(tmp_path / "data.json")
    loaded = Dataset.load(tmp_path / "data.json")
    assert loaded == Dataset(tmp_path, dataset.labels, {"train": (sample,), "val": (), "test": ()})
    assert loaded.fingerprint() == dataset.fingerprint()
    np.testing.assert_array_equal(read_truth(sample, dataset.labels), objects.draw() == 18)


def test_other_outlines_are_another_data_set(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", np.zeros((*SIZE, 3), np.uint8))

    def fingerprint(right: int) -> str:
        objects = draw_order(tmp_path / "a.json", SIZE, [(1, outline(box(1, 1, 9, right)))])
        samples = (Sample("a", tmp_path / "a.png", objects),)
        return Dataset(tmp_path, LabelMap(("a", "b")), {"train": samples}).fingerprint()

    assert fingerprint(9) != fingerprint(10)


def test_a_truth_is_resized_and_encoded(tmp_path: Path) -> None:
    mask = np.zeros((4, 6), np.uint8)
    mask[:2] = 255
    write_png(tmp_path / "m.png", mask)
    sample = Sample("m", tmp_path / "i.png", tmp_path / "m.png")
    labels = LabelMap(("background", "x"), {0: "background", 255: "ignore", 1: "x"})
    np.testing.assert_array_equal(read_truth(sample, labels, (2, 3)), [[IGNORE_INDEX] * 3, [0] * 3])


def test_a_coloured_truth_is_resized_and_encoded(tmp_path: Path) -> None:
    mask = np.zeros((4, 6, 3), np.uint8)
    mask[:, 3:] = 255, 128, 0
    write_png(tmp_path / "m.png", mask)
    labels = LabelMap(("background", "x"), {"#000000": "background", "#ff8000": "x"})
    truth = read_truth(Sample("m", tmp_path / "i.png", tmp_path / "m.png"), labels, (2, 2))
    np.testing.assert_array_equal(truth, [[0, 1], [0, 1]])


def test_a_truth_with_unknown_values_says_which(tmp_path: Path) -> None:
    write_png(tmp_path / "m.png", np.full((2, 2), 9, np.uint8))
    with pytest.raises(DataError, match=r"m\.png: the mask holds values that data.values does not name; found 9"):
        read_truth(Sample("m", tmp_path / "i.png", tmp_path / "m.png"), LabelMap(("a", "b")))
