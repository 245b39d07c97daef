"""`inspect_data`: each trap is found, named, and mended by the setting that the finding names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from kseg.data.find import find_dataset
from kseg.data.inspection.findings import Finding
from kseg.data.inspection.inspect import Inspection, inspect_data
from kseg.data.spec import DataSpec, Folders
from kseg.data.truth import read_truth
from kseg.images import read_image
from tests.data.folders import write

COUNT = 10
SIZE = (48, 64)


def disk(number: int) -> np.ndarray:
    """A disk about the middle, bool ``[H, W]``."""
    rows, columns = np.ogrid[: SIZE[0], : SIZE[1]]
    return (rows - 22 - number % 3) ** 2 + (columns - 30 - number % 4) ** 2 < 15**2


def make(root: Path, draw: Callable[[np.ndarray], np.ndarray], suffix: str = ".png", *, count: int = COUNT) -> Path:
    """Pictures, and masks drawn from the disks that they show."""
    for number in range(count):
        rng = np.random.default_rng(number)
        picture = rng.integers(0, 120, (*SIZE, 3), np.uint8)
        picture[disk(number)] += 100
        write(root / "images" / f"p{number}.png", picture)
        mask = draw(disk(number))
        path = root / "masks" / f"p{number}{suffix}"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(mask).save(path)
    return root


def settings(root: Path, **options: Any) -> DataSpec:
    return DataSpec(root, **{"classes": ("background", "disk"), **options})


def codes(actual: Inspection, severity: str = "error") -> list[str]:
    return [finding.code for finding in actual.findings if finding.severity == severity]


def one(actual: Inspection, code: str) -> Finding:
    return next(finding for finding in actual.findings if finding.code == code)


def mended(spec: DataSpec, finding: Finding) -> DataSpec:
    for key, value in {**finding.fix, **finding.guess}.items():
        parts = key.split(".")
        if parts[1] == "split":
            spec = replace(spec, split=replace(spec.split, **{parts[-1]: value}))
        else:
            spec = replace(spec, **{parts[-1]: value})
    return spec


def smooth(inside: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(inside.astype(np.uint8) * 255, (7, 7), 0)


def colored(inside: np.ndarray) -> np.ndarray:
    return np.where(inside[..., None], (200, 30, 40), (0, 0, 0)).astype(np.uint8)


def trimap(inside: np.ndarray) -> np.ndarray:
    mask = np.where(inside, 1, 2).astype(np.uint8)
    edge = cv2.dilate(inside.astype(np.uint8), np.ones((3, 3))) != cv2.erode(inside.astype(np.uint8), np.ones((3, 3)))
    mask[edge] = 3
    return mask


def alpha(inside: np.ndarray) -> np.ndarray:
    return np.dstack([np.zeros((*SIZE, 3), np.uint8), inside.astype(np.uint8) * 255])


ASKED = ("inverted", "labels from one, in any order", "smoothed and inverted")
"""Traps that are asked about: the setting is a guess."""

TRAPS: dict[str, tuple[str, Callable[[np.ndarray], np.ndarray], str, dict[str, Any]]] = {
    "255 is the object": (
        "zero-255", lambda m: m.astype(np.uint8) * 255, ".png",
        {"data.values": {0: "background", 255: "disk"}},
    ),
    "inverted": (
        "inverted", lambda m: (~m).astype(np.uint8) * 255, ".png",
        {"data.values": {0: "disk", 255: "background"}},
    ),
    "labels from one, in any order": (
        "labels-from-one", trimap, ".png",
        {"data.values": {1: "disk", 2: "background", 3: "ignore"}},
    ),
    "a void value": (
        "void", lambda m: np.where(trimap(m) == 3, 7, m).astype(np.uint8), ".png",
        {"data.values": {0: "background", 1: "disk", 7: "ignore"}},
    ),
    "smoothed edges": (
        "smoothed", smooth, ".png",
        {"data.values": {0: "background", 255: "disk"}, "data.threshold": 128},
    ),
    "smoothed and inverted": (
        "smoothed", lambda m: 255 - smooth(m), ".png",
        {"data.values": {0: "disk", 255: "background"}, "data.threshold": 128},
    ),
    "JPEG": (
        "smoothed", lambda m: m.astype(np.uint8) * 255, ".jpg",
        {"data.values": {0: "background", 255: "disk"}, "data.threshold": 128},
    ),
    "colours": (
        "colors", colored, ".png",
        {"data.values": {"#000000": "background", "#c81e28": "disk"}},
    ),
    "drawn in the alpha": (
        "zero-255", alpha, ".png",
        {"data.values": {0: "background", 255: "disk"}},
    ),
}  # fmt: skip


@pytest.mark.parametrize("trap", TRAPS)
def test_the_finding_names_the_setting_that_mends_it(tmp_path: Path, trap: str) -> None:
    code, draw, suffix, fix = TRAPS[trap]
    given = settings(make(tmp_path, draw, suffix))
    actual = inspect_data(given)
    assert codes(actual, "question" if trap in ASKED else "error") == [code]
    finding = one(actual, code)
    assert dict(finding.guess if trap in ASKED else finding.fix) == fix
    assert not (finding.guess and finding.fix)
    after = mended(given, finding)
    assert codes(inspect_data(after)) == []
    dataset = find_dataset(after)
    for sample in dataset.samples("all"):
        truth = read_truth(sample, dataset.labels)
        known = truth != 255
        np.testing.assert_array_equal(truth[known], disk(int(sample.key[1:]))[known])
        assert known.mean() > 0.85


def test_colours_with_smoothed_edges_are_matched_to_the_nearest(tmp_path: Path) -> None:
    given = settings(make(tmp_path, lambda m: cv2.GaussianBlur(colored(m), (5, 5), 0)))
    finding = one(inspect_data(given), "colors")
    assert finding.fix["data.match"] == "nearest"
    assert codes(inspect_data(mended(given, finding))) == []


def test_classes_that_nobody_named_are_told_from_smoothed_masks(tmp_path: Path) -> None:
    given = settings(make(tmp_path, smooth), classes=None)
    finding = one(inspect_data(given), "smoothed")
    assert finding.fix["data.threshold"] == 128
    after = inspect_data(mended(given, finding))
    assert codes(after) == []
    assert after.labels is not None
    assert after.labels.names == ("background", "foreground")


def test_a_clean_set_has_nothing_to_find_fault_with(tmp_path: Path) -> None:
    actual = inspect_data(settings(make(tmp_path, lambda m: m.astype(np.uint8))))
    assert actual.findings == ()
    assert dict(actual.counts) == {"train": 8, "val": 1, "test": 1}


@pytest.mark.parametrize(("count", "is_certain"), [(10, False), (20, True)])
def test_pictures_without_masks_can_be_left_out_unasked_if_they_are_few(
    tmp_path: Path, count: int, is_certain: bool
) -> None:
    make(tmp_path, lambda m: m.astype(np.uint8), count=count)
    (tmp_path / "masks" / "p3.png").unlink()
    given = settings(tmp_path)
    finding = one(inspect_data(given), "unpaired")
    assert finding.severity == "error"
    assert finding.what == f"1 of {count} images have no mask (p3.png)"
    assert (finding.fix if is_certain else finding.guess) == {"data.unpaired": "skip"}
    assert not (finding.guess if is_certain else finding.fix)
    assert codes(inspect_data(mended(given, finding))) == []


def test_unpaired_files_are_few_only_if_they_are_in_each_folder_of_a_split(tmp_path: Path) -> None:
    for part, count in (("train", 20), ("val", 4)):
        make(tmp_path / part, lambda m: m.astype(np.uint8), count=count)
        (tmp_path / part / "masks" / "p3.png").unlink()
    given = settings(tmp_path, images="{split}/images", masks="{split}/masks", split=Folders("train", "val", ""))
    finding = one(inspect_data(given), "unpaired")
    assert finding.what == "1 of 20 images have no mask (p3.png); 1 of 4 images have no mask (p3.png)"
    assert (finding.fix, finding.guess) == ({}, {"data.unpaired": "skip"})


def test_files_that_cannot_be_read_can_be_left_out(tmp_path: Path) -> None:
    make(tmp_path, lambda m: m.astype(np.uint8))
    (tmp_path / "images" / "p1.png").write_bytes(b"none")
    (tmp_path / "masks" / "p2.png").write_bytes((tmp_path / "masks" / "p2.png").read_bytes()[:60])
    given = settings(tmp_path, exclude=["p9"])
    finding = one(inspect_data(given), "unreadable")
    assert set(finding.files) == {"p1", "p2"}
    assert finding.guess["data.exclude"][0] == "p9"
    after = inspect_data(mended(given, replace(finding, fix=finding.guess)))
    assert codes(after) == []
    assert sum(after.counts.values()) == COUNT - 3


def test_masks_of_another_size_can_be_left_out(tmp_path: Path) -> None:
    make(tmp_path, lambda m: m.astype(np.uint8))
    write(tmp_path / "masks" / "p4.png", np.ones((10, 10), np.uint8))
    finding = one(inspect_data(settings(tmp_path)), "size-mismatch")
    assert dict(finding.guess) == {"data.exclude": ["p4"]}


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_masks_drawn_on_the_stored_pixels_are_turned_like_their_pictures(tmp_path: Path, orientation: int) -> None:
    make(tmp_path, lambda m: m.astype(np.uint8))
    for number in range(COUNT):
        path = tmp_path / "images" / f"p{number}.png"
        tag = Image.Exif()
        tag[0x0112] = orientation
        with Image.open(path) as image:
            image.load()
            image.save(path, exif=tag)
    given = settings(tmp_path)
    finding = one(inspect_data(given), "exif")
    assert dict(finding.fix) == {"data.mask_orientation": "image"}
    after = mended(given, finding)
    assert codes(inspect_data(after)) == []
    dataset = find_dataset(after)
    for sample in dataset.samples("all"):
        inside = read_truth(sample, dataset.labels) == 1
        assert read_image(sample.image)[inside].min() >= 100  # the disk as it is painted


def test_misnamed_gray_and_opaque_pictures_are_noted(tmp_path: Path) -> None:
    make(tmp_path, lambda m: m.astype(np.uint8))
    images = tmp_path / "images"
    with Image.open(images / "p0.png") as image:
        image.convert("RGB").save(images / "p0.jpg", "GIF")
        (images / "p0.png").unlink()
        image.convert("RGBA").save(images / "p1.png")
        image.convert("L").transpose(Image.Transpose.ROTATE_180).save(images / "p2.png")
    actual = inspect_data(settings(tmp_path))
    assert codes(actual) == []
    assert one(actual, "misnamed").found == "p0.jpg is a GIF"
    assert one(actual, "rgba-images").files == ("p1",)
    assert one(actual, "gray-images").files == ("p2",)


def test_a_palette_is_noted(tmp_path: Path) -> None:
    make(tmp_path, lambda m: m.astype(np.uint8))
    for path in (tmp_path / "masks").iterdir():
        with Image.open(path) as mask:
            indexed = Image.frombytes("P", mask.size, mask.tobytes())
        indexed.putpalette([0, 0, 0, 255, 0, 0])
        indexed.save(path)
    finding = one(inspect_data(settings(tmp_path)), "p-masks")
    assert finding.what == "10 of 10 masks are stored as palette pictures"


def test_a_foreground_that_surrounds_is_a_question_with_the_swap(tmp_path: Path) -> None:
    given = settings(make(tmp_path, lambda m: (~m).astype(np.uint8)))
    actual = inspect_data(given)
    assert codes(actual) == []
    finding = one(actual, "inverted")
    assert finding.severity == "question"
    assert dict(finding.guess) == {"data.values": {0: "disk", 1: "background"}}
    assert finding.advice == "if not, set data.values: {0: background, 1: disk}"
    assert "inverted" not in [finding.code for finding in inspect_data(mended(given, finding)).findings]


def test_a_foreground_that_surrounds_is_a_warning_where_the_values_are_told(tmp_path: Path) -> None:
    given = settings(make(tmp_path, lambda m: (~m).astype(np.uint8)), values={0: "background", 1: "disk"})
    actual = inspect_data(given)
    assert not [finding for finding in actual.findings if finding.prevents]
    finding = one(actual, "inverted")
    assert finding.severity == "warning"
    assert finding.advice == "look at some with kseg data show; if so, set data.values: {0: disk, 1: background}"


def test_copies_across_splits_are_a_warning_that_the_split_can_mend(tmp_path: Path) -> None:
    make(tmp_path, lambda m: m.astype(np.uint8))
    given = settings(tmp_path)
    dataset = find_dataset(given)
    first, last = dataset.splits["train"][0], dataset.splits["test"][0]
    last.image.write_bytes(first.image.read_bytes())
    finding = one(inspect_data(given), "copies-across-splits")
    assert finding.found == f"{last.key} (test) = {first.key} (train)"
    assert "copies-across-splits" not in codes(inspect_data(mended(given, finding)), "warning")


def test_empty_masks_and_rare_classes_are_noted(tmp_path: Path) -> None:
    make(tmp_path, lambda m: m.astype(np.uint8))
    small = np.zeros(SIZE, np.uint8)
    small[20:23, 20:23] = 1
    for number in range(COUNT):
        write(tmp_path / "masks" / f"p{number}.png", small if number else np.zeros(SIZE, np.uint8))
    actual = inspect_data(settings(tmp_path))
    assert one(actual, "empty-masks").files == ("p0",)
    assert one(actual, "rare-class").fix == {"train.loss": "cross_entropy + dice"}


def test_a_named_class_that_no_mask_shows_is_taken_out_on_request(tmp_path: Path) -> None:
    given = settings(make(tmp_path, lambda m: m.astype(np.uint8)), classes=["background", "disk", "unicorn"])
    finding = one(inspect_data(given), "absent-class")
    assert not finding.fix
    assert finding.guess["data.classes"] == ["background", "disk"]
    assert finding.guess["data.values"] == {0: "background", 1: "disk", 2: "ignore"}
    assert codes(inspect_data(mended(given, finding))) == []


def test_findings_come_worst_first_and_as_json(tmp_path: Path) -> None:
    make(tmp_path, trimap, ".png")
    (tmp_path / "images" / "p0.png").write_bytes(b"none")
    actual = inspect_data(settings(tmp_path))
    assert [finding.severity for finding in actual.findings] == sorted(
        (finding.severity for finding in actual.findings), key=["error", "question", "warning", "note"].index
    )
    plain = actual.findings[0].to_json()
    assert {"code", "severity", "what", "why", "count", "total", "files", "fix"} <= set(plain)
