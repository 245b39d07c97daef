"""Pictures of what mask values stand for."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from kseg.data.inspection.preview import draw_preview, pick_samples
from kseg.data.inspection.survey import SampleFacts, survey
from kseg.data.sample import Sample
from kseg.errors import DataError

SIZE = (120, 240)
HEAD, GAP = 22, 4
BLUE = (20, 60, 200)


def make_sample(root: Path, key: str, mask: np.ndarray) -> Sample:
    """A blue image as large as a tile, with a mask that is written as it is."""
    image, path = root / f"{key}.png", root / f"{key}_mask.png"
    cv2.imwrite(str(image), np.full((*SIZE, 3), BLUE[::-1], np.uint8))
    cv2.imwrite(str(path), mask)
    return Sample(key, image, path)


def values_mask(*values: int) -> np.ndarray:
    """Vertical stripes of equal width, one for each value."""
    return np.repeat(np.array(values, np.uint8), SIZE[1] // len(values))[np.newaxis].repeat(SIZE[0], axis=0)


def cell(sheet: np.ndarray, row: int, column: int, height: int = SIZE[0]) -> np.ndarray:
    """The picture at a place of the sheet, without its caption."""
    top = HEAD + row * (HEAD + height + GAP) + HEAD
    left = column * (SIZE[1] + GAP)
    return sheet[top : top + height, left : left + SIZE[1]]


def lit(picture: np.ndarray) -> np.ndarray:
    return (picture == BLUE).all(axis=-1)


def is_blank(pixels: np.ndarray) -> bool:
    return bool((pixels == 255).all())


def facts_of(*samples: Sample, colors: bool = False) -> tuple[SampleFacts, ...]:
    return survey({"train": samples}, colors=colors)["train"]


def test_each_value_is_lit_in_a_column_of_its_own(tmp_path: Path) -> None:
    sheet = draw_preview([make_sample(tmp_path, "a", values_mask(0, 7, 204))], [0, 7, 204])
    assert sheet.shape == (HEAD + HEAD + SIZE[0] + GAP, 4 * (SIZE[1] + GAP), 3)
    assert lit(cell(sheet, 0, 0)).all()
    for column, (start, stop) in enumerate([(0, 80), (80, 160), (160, 240)], 1):
        picture = cell(sheet, 0, column)
        expected = np.zeros(SIZE, bool)
        expected[:, start:stop] = True
        np.testing.assert_array_equal(lit(picture), expected)
        beside = stop if stop < 240 else start - 1
        np.testing.assert_array_equal(picture[60, beside], (255, 230, 0))  # the outline
        grey = picture[60, (start + 120) % 240]
        assert grey.max() - grey.min() == 0


def test_every_value_and_picture_has_a_caption(tmp_path: Path) -> None:
    sheet = draw_preview([make_sample(tmp_path, "a", values_mask(0, 7))], [0, 7, 9])
    for column in range(4):
        left = column * (SIZE[1] + GAP)
        assert not is_blank(sheet[HEAD : 2 * HEAD, left : left + SIZE[1]])
    assert not is_blank(sheet[:HEAD])


def test_a_value_that_does_not_occur_is_lit_nowhere(tmp_path: Path) -> None:
    sheet = draw_preview([make_sample(tmp_path, "a", values_mask(0, 7))], [9])
    assert not lit(cell(sheet, 0, 1)).any()


def test_a_color_is_lit_and_shown_in_its_caption(tmp_path: Path) -> None:
    mask = np.zeros((*SIZE, 3), np.uint8)
    mask[:, 120:] = (0, 0, 255)  # red in OpenCV's order
    sheet = draw_preview([make_sample(tmp_path, "a", mask)], ["#000000", "#FF0000"])
    np.testing.assert_array_equal(lit(cell(sheet, 0, 1)), ~lit(cell(sheet, 0, 2)) & (np.arange(240) < 120))
    assert lit(cell(sheet, 0, 2))[:, 120:].all()
    caption = sheet[HEAD : 2 * HEAD, 2 * (SIZE[1] + GAP) :]
    assert (caption == (255, 0, 0)).all(axis=-1).sum() > 50


def test_many_values_are_wrapped_and_the_rest_is_counted(tmp_path: Path) -> None:
    sample = make_sample(tmp_path, "a", values_mask(*range(16)))
    sheet = draw_preview([sample], range(16))
    assert sheet.shape == (HEAD + 2 * (HEAD + SIZE[0] + GAP), 7 * (SIZE[1] + GAP), 3)
    for value in range(12):
        picture = cell(sheet, value // 6, 1 + value % 6)
        assert lit(picture)[60, 15 * value + 7]
    assert lit(cell(sheet, 1, 0)).all()
    only_twelve = draw_preview([sample], range(12))
    np.testing.assert_array_equal(sheet[HEAD:], only_twelve[HEAD:])
    assert (sheet[:HEAD] != only_twelve[:HEAD]).any()  # 4 more values are not shown


def test_a_last_line_that_is_not_full_ends_blank(tmp_path: Path) -> None:
    sheet = draw_preview([make_sample(tmp_path, "a", values_mask(0, 1, 2, 3))], range(7))
    assert sheet.shape[1] == 5 * (SIZE[1] + GAP)
    assert is_blank(cell(sheet, 1, 4))
    assert not is_blank(cell(sheet, 1, 3))


def test_a_region_that_shrinks_to_nothing_is_still_seen(tmp_path: Path) -> None:
    mask = np.zeros((1200, 2400), np.uint8)
    mask[600, 1200] = 5
    sample = make_sample(tmp_path, "a", mask)
    cv2.imwrite(str(sample.image), np.full((1200, 2400, 3), BLUE[::-1], np.uint8))
    assert lit(cell(draw_preview([sample], [5]), 0, 1)).sum() == 1


def test_tall_pictures_are_limited_in_height_and_three_are_drawn(tmp_path: Path) -> None:
    samples = [make_sample(tmp_path, key, np.zeros((400, 100), np.uint8)) for key in "abcd"]
    for sample in samples:
        cv2.imwrite(str(sample.image), np.full((400, 100, 3), BLUE[::-1], np.uint8))
    sheet = draw_preview(samples, [0])
    assert sheet.shape == (HEAD + 3 * (HEAD + 320 + GAP), 2 * (SIZE[1] + GAP), 3)
    assert lit(cell(sheet, 2, 1, height=320)).sum() == 320 * 80


def test_a_mask_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    sample = make_sample(tmp_path, "a", values_mask(0, 1))
    sample.files[1].write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"a_mask\.png"):
        draw_preview([sample], [0])


def test_the_samples_picked_show_all_values_together(tmp_path: Path) -> None:
    masks = {"a": (0, 1), "b": (0, 1, 2), "c": (0, 3), "d": (0, 1, 4), "e": (0, 0)}
    samples = [make_sample(tmp_path, key, values_mask(*values)) for key, values in masks.items()]
    picked = pick_samples(facts_of(*samples), [0, 1, 2, 3, 4])
    assert [sample.key for sample in picked] == ["b", "c", "d"]


def test_of_equal_samples_the_clearer_is_picked_and_then_others(tmp_path: Path) -> None:
    small = values_mask(0, 0)
    small[0, 0] = 1
    samples = [make_sample(tmp_path, "small", small), make_sample(tmp_path, "large", values_mask(0, 1))]
    assert [sample.key for sample in pick_samples(facts_of(*samples), [0, 1], 1)] == ["large"]
    assert [sample.key for sample in pick_samples(facts_of(*samples), [0, 1])] == ["large", "small"]


def test_samples_are_picked_by_color(tmp_path: Path) -> None:
    red = np.zeros((*SIZE, 3), np.uint8)
    red[:, 120:] = (0, 0, 255)
    samples = [make_sample(tmp_path, "grey", values_mask(0, 9)), make_sample(tmp_path, "red", red)]
    facts = facts_of(*samples)
    assert [sample.key for sample in pick_samples(facts, ["#FF0000"], 1)] == ["red"]
    assert [sample.key for sample in pick_samples(facts, ["#090909"], 1)] == ["grey"]


def test_samples_that_cannot_be_read_are_not_picked(tmp_path: Path) -> None:
    good, bad = (make_sample(tmp_path, key, values_mask(0, 1)) for key in ("good", "bad"))
    bad.image.write_bytes(b"no picture")
    assert pick_samples(facts_of(bad, good), [0, 1]) == [good]
    assert pick_samples([], [0, 1]) == []


def test_values_that_are_not_drawn_do_not_decide(tmp_path: Path) -> None:
    samples = [make_sample(tmp_path, "many", values_mask(*range(12, 16))), make_sample(tmp_path, "one", values_mask(3))]
    assert pick_samples(facts_of(*samples), range(16), 1) == [samples[1]]
