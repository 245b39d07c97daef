"""What mask values mean: for each kind of masks the right settings, or the right question and its two answers."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml
from PIL import Image

import kseg
from kseg.api.check import DataCheck
from kseg.data.find import find_dataset
from kseg.data.inspection.findings import Finding
from kseg.data.inspection.fix import read_folder
from kseg.data.truth import read_truth
from kseg.errors import DataError

COUNT = 10
SIZE = (64, 80)

Mask = np.ndarray
Draw = Callable[[np.random.Generator], Mask]


# --- drawn masks: class ids, 255 = void -------------------------------------------------------------------------------


def canvas() -> Mask:
    return np.zeros(SIZE, np.uint8)


def disk(mask: Mask, row: float, column: float, radius: float, value: int) -> Mask:
    rows, columns = np.ogrid[: SIZE[0], : SIZE[1]]
    mask[(rows - row) ** 2 + (columns - column) ** 2 < radius**2] = value
    return mask


def one_disk(rng: np.random.Generator) -> Mask:
    return disk(canvas(), rng.uniform(28, 36), rng.uniform(34, 46), rng.uniform(14, 18), 1)


def nested(rng: np.random.Generator) -> Mask:
    """A disc (1) with a cup (2) in it."""
    row, column = rng.uniform(28, 36), rng.uniform(34, 46)
    return disk(disk(canvas(), row, column, 17, 1), row, column, rng.uniform(7, 10), 2)


def beside(rng: np.random.Generator) -> Mask:
    shift = rng.integers(3)
    return disk(disk(canvas(), 30, 24 + shift, 12, 1), 32, 56 - shift, 11, 2)


def three(rng: np.random.Generator) -> Mask:
    return disk(nested(rng), 10, 12, 6, 3)


def void_border(rng: np.random.Generator) -> Mask:
    """Disks with a border of void, as in VOC."""
    mask = beside(rng)
    square = np.ones((3, 3), np.uint8)
    mask[cv2.dilate(mask, square) != cv2.erode(mask, square)] = 255
    return mask


def letterboxed(rng: np.random.Generator) -> Mask:
    mask = beside(rng)
    width = rng.integers(2, 6)
    mask[:width], mask[-width:] = 255, 255
    return mask


def numbered(rng: np.random.Generator) -> Mask:
    """0 to 8 cells, numbered from 1 on."""
    mask = canvas()
    for i in range(rng.integers(9)):
        disk(mask, 10 + 18 * (i // 4) + rng.uniform(-1, 1), 10 + 19 * (i % 4) + rng.uniform(-1, 1), 7, i + 1)
    return mask


def striped(rng: np.random.Generator) -> Mask:
    """Two halves, neither of which surrounds the other."""
    mask = canvas()
    mask[:, rng.integers(38, 43) :] = 1
    return mask


# --- how they are stored ----------------------------------------------------------------------------------------------


def as_values(*values: int) -> Callable[[Mask], Image.Image]:
    """Class i is stored as values[i]; 255 stays."""
    kind = np.uint16 if max(values) > 255 else np.uint8
    return lambda mask: Image.fromarray(
        np.where(mask == 255, 255, np.resize(np.array(values, kind), 255)[np.minimum(mask, 254)]).astype(kind)
    )


def as_colors(*colors: str) -> Callable[[Mask], Image.Image]:
    table = np.array([[int(color[i : i + 2], 16) for i in (1, 3, 5)] for color in colors], np.uint8)
    return lambda mask: Image.fromarray(table[mask])


def as_palette(*colors: str) -> Callable[[Mask], Image.Image]:
    def store(mask: Mask) -> Image.Image:
        image = Image.frombytes("P", mask.shape[::-1], mask.tobytes())
        image.putpalette([int(color[i : i + 2], 16) for color in colors for i in (1, 3, 5)])
        return image

    return store


def make(
    root: Path, draw: Draw, store: Callable[[Mask], Image.Image], suffix: str = ".png", seed: int = 0
) -> dict[str, Mask]:
    """Ten pictures with masks below ``root``; returns the truth of each."""
    truths = {}
    for number in range(COUNT):
        rng = np.random.default_rng([seed, number])
        truth = draw(rng)
        for folder in ("images", "masks"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (*SIZE, 3), np.uint8)).save(root / "images" / f"p{number}.png")
        store(truth).save(root / "masks" / f"p{number}{suffix}", **({"quality": 75} if suffix == ".jpg" else {}))
        truths[f"p{number}"] = truth
    return truths


# --- what is read -----------------------------------------------------------------------------------------------------


def check(root: Path, classes: list[str] | None = None, **settings: Any) -> DataCheck:
    return kseg.check(root, **({"classes": classes} if classes else {}), **settings)


def require_truth(result: DataCheck, truths: Mapping[str, Mask], names: list[str], tolerance: float = 0.0) -> None:
    """The decoded masks are the drawn ones, and nothing prevents a training."""
    assert [finding.code for finding in result.errors] == []
    dataset = find_dataset(result.data)
    ids = np.full(256, 255, np.uint8)
    for i, name in enumerate(names):
        ids[i] = dataset.labels.names.index(name)
    for sample in dataset.samples("all"):
        expected = ids[truths[sample.key]]
        actual = read_truth(sample, dataset.labels)
        assert (actual != expected).mean() <= tolerance, sample.key


def question(result: DataCheck) -> Finding:
    (finding,) = result.questions
    assert not finding.fix
    assert len(finding.what) <= 130
    assert finding.what == " ".join(finding.what.split())
    assert "?" in finding.what
    return finding


def alternative(finding: Finding) -> dict[str, Any]:
    """The settings that the text names as the other answer."""
    assert finding.advice is not None
    return {
        key: yaml.safe_load(value) for key, value in re.findall(r"data\.(\w+): (\{.*?\}|\[.*?\]|\w+)", finding.advice)
    }


CERTAIN: dict[str, tuple[Draw, Callable[[Mask], Image.Image], str, list[str] | None, list[str]]] = {
    "0 and 255": (one_disk, as_values(0, 255), ".png", ["background", "cell"], ["background", "cell"]),
    "0 and 255, unnamed": (one_disk, as_values(0, 255), ".png", None, ["background", "foreground"]),
    "JPEG, unnamed": (one_disk, as_values(0, 255), ".jpg", None, ["background", "foreground"]),
    "JPEG": (one_disk, as_values(0, 255), ".jpg", ["background", "cell"], ["background", "cell"]),
    "from one": (one_disk, as_values(1, 2), ".png", ["background", "cell"], ["background", "cell"]),
    "three from one": (nested, as_values(1, 2, 3), ".png", ["background", "a", "b"], ["background", "a", "b"]),
    "void border": (void_border, as_values(0, 1, 2), ".png", ["background", "a", "b"], ["background", "a", "b"]),
    "void border, unnamed": (void_border, as_values(0, 1, 2), ".png", None, ["background", "class_1", "class_2"]),
    "letterbox": (letterboxed, as_values(0, 1, 2), ".png", ["background", "a", "b"], ["background", "a", "b"]),
    "black and red": (
        one_disk, as_colors("#000000", "#ff0000"), ".png", ["background", "cell"], ["background", "cell"],
    ),
    "black and red, unnamed": (
        one_disk, as_colors("#000000", "#ff0000"), ".png", None, ["background", "foreground"],
    ),
    "background not named": (beside, as_values(0, 1, 2), ".png", ["cat", "dog"], ["background", "cat", "dog"]),
    "Background": (one_disk, as_values(0, 255), ".png", ["Background", "cell"], ["background", "cell"]),
    "bg": (one_disk, as_values(0, 255), ".png", ["bg", "cell"], ["background", "cell"]),
    "0, 1, 2 unnamed": (nested, as_values(0, 1, 2), ".png", None, ["background", "class_1", "class_2"]),
    "16 bits": (one_disk, as_values(0, 65535), ".png", ["background", "cell"], ["background", "cell"]),
}  # fmt: skip


@pytest.mark.parametrize("kind", CERTAIN)
def test_what_is_certain_is_read_without_a_question(tmp_path: Path, kind: str) -> None:
    draw, store, suffix, classes, names = CERTAIN[kind]
    truths = make(tmp_path, draw, store, suffix)
    result = check(tmp_path, classes)
    require_truth(result, truths, names, 0.03 if suffix == ".jpg" else 0.0)
    if not classes or len(classes) == len(names):
        read = read_folder(tmp_path, {"classes": classes} if classes else {})
        assert read.settings.values == result.data.values
    assert len(find_dataset(result.data).labels.names) == len(names)


ASKED: dict[str, tuple[Draw, Callable[[Mask], Image.Image], str, list[str] | None, list[str], str]] = {
    # kind: masks, storage, suffix, --classes, names of the truth, whether the truth is the guess or the other answer
    "inverted": (one_disk, as_values(255, 0), ".png", ["background", "cell"], ["background", "cell"], "guess"),
    "inverted, unnamed": (one_disk, as_values(255, 0), ".png", None, ["background", "foreground"], "guess"),
    "inverted 0 and 1": (one_disk, as_values(1, 0), ".png", ["background", "cell"], ["background", "cell"], "guess"),
    "not inverted, but surrounding": (
        one_disk, as_values(255, 0), ".png", ["background", "ring"], ["ring", "background"], "other",
    ),
    "inverted JPEG": (one_disk, as_values(255, 0), ".jpg", ["background", "cell"], ["background", "cell"], "guess"),
    "inverted JPEG, unnamed": (one_disk, as_values(255, 0), ".jpg", None, ["background", "foreground"], "guess"),
    "neither is the background": (striped, as_values(0, 255), ".png", ["sea", "land"], ["sea", "land"], "guess"),
    "the other order": (striped, as_values(0, 255), ".png", ["sea", "land"], ["land", "sea"], "other"),
    "3 and 9": (striped, as_values(3, 9), ".png", ["background", "x"], ["x", "background"], "other"),
    "cup in a disc": (
        nested, as_values(0, 204, 255), ".png", ["background", "disc", "cup"], ["background", "disc", "cup"], "guess",
    ),
    "disc around a cup of 204": (
        nested, as_values(0, 255, 204), ".png", ["background", "disc", "cup"], ["background", "cup", "disc"], "guess",
    ),
    "cup in a disc, unnamed": (
        nested, as_values(0, 204, 255), ".png", None, ["background", "class_204", "class_255"], "guess",
    ),
    "side by side, unnamed": (
        beside, as_values(0, 204, 255), ".png", None, ["background", "class_204", "class_255"], "guess",
    ),
    "0, 1 and 255, an object": (
        nested, as_values(0, 1, 255), ".png", None, ["background", "class_1", "class_255"], "guess",
    ),
    "three colours": (
        nested, as_colors("#000000", "#ff0000", "#00ff00"), ".png", ["background", "a", "b"],
        ["background", "b", "a"], "guess",
    ),
    "three colours in the other order": (
        nested, as_colors("#000000", "#ff0000", "#00ff00"), ".png", ["background", "a", "b"],
        ["background", "a", "b"], "other",
    ),
    "a red background": (
        three, as_colors("#ff0000", "#00ff00", "#0000ff", "#ffff00"), ".png", ["background", "a", "b", "c"],
        ["background", "b", "a", "c"], "guess",
    ),
    "one value more": (nested, as_values(0, 1, 2), ".png", ["background", "a"], ["background", "a"], "void"),
    "numbers of objects": (
        numbered, as_values(*range(9)), ".png", ["background", "cell"], ["background", "cell"], "one",
    ),
    "numbers of objects, unnamed": (numbered, as_values(*range(9)), ".png", None, ["background", "object"], "one"),
    "16-bit numbers of objects": (
        numbered, as_values(0, *range(1000, 1008)), ".png", None, ["background", "object"], "one",
    ),
    "numbers with gaps": (
        numbered, as_values(0, 1, 3, 4, 7, 8, 12, 20, 21), ".png", ["background", "cell"], ["background", "cell"],
        "one",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", ASKED)
def test_what_is_doubtful_is_asked_and_each_answer_settles_it(tmp_path: Path, kind: str) -> None:
    draw, store, suffix, classes, names, answer = ASKED[kind]
    truths = make(tmp_path, draw, store, suffix)
    asked = question(check(tmp_path, classes))
    with pytest.raises(DataError, match=re.escape(asked.what)):
        read_folder(tmp_path, {"classes": classes} if classes else {})
    guessed = check(tmp_path, classes, accept_guesses=True)
    assert guessed.errors == []
    told = {"classes": classes} if classes else {}
    answered = check(tmp_path, **{**told, **{key.removeprefix("data."): value for key, value in asked.guess.items()}})
    assert answered.errors == []
    other = alternative(asked)
    if other:
        otherwise = check(tmp_path, **{**told, **other})
        assert otherwise.errors == []
    if answer == "one":
        truths = {key: (truth > 0).astype(np.uint8) for key, truth in truths.items()}
    elif answer == "void":
        truths = {key: np.where(truth == 2, 255, truth) for key, truth in truths.items()}
    require_truth(otherwise if answer == "other" else guessed, truths, names, 0.03 if suffix == ".jpg" else 0.0)
