"""What mask values mean: for each kind of masks the right settings, or the right question and its two answers."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
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


def specks(rng: np.random.Generator) -> Mask:
    mask = canvas()
    for _ in range(3):
        disk(mask, *rng.uniform(8, 56, 2), 4, 1)
    return mask


def crossed(rng: np.random.Generator) -> Mask:
    """A disk beside a thin line of 2, which lies along no border."""
    mask = one_disk(rng)
    mask[4:6, 10:70] = 2
    return mask


def two_kinds_of_specks(rng: np.random.Generator) -> Mask:
    mask = canvas()
    for i in range(6):
        disk(mask, *rng.uniform(8, 56, 2), 5, 1 + i % 2)
    return mask


def ringed(rng: np.random.Generator) -> Mask:
    """A disk with a rim of 255."""
    row, column = rng.uniform(28, 36), rng.uniform(34, 46)
    return disk(disk(canvas(), row, column, 17, 255), row, column, 15, 1)


def padded_border(rng: np.random.Generator) -> Mask:
    mask = void_border(rng)
    mask[:4], mask[-3:] = 255, 255
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


def blurred(mask: Mask) -> Image.Image:
    return Image.fromarray(cv2.GaussianBlur(mask * 255, (5, 5), 0))


def soft(mask: Mask) -> Image.Image:
    return Image.fromarray(cv2.GaussianBlur(mask * 255, (0, 0), 8))


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
    "JPEG of small objects, unnamed": (specks, as_values(0, 255), ".jpg", None, ["background", "foreground"]),
    "JPEG of 0 and 128": (one_disk, as_values(0, 128), ".jpg", ["background", "cell"], ["background", "cell"]),
    "blurred": (one_disk, blurred, ".png", None, ["background", "foreground"]),
    "void border and padding": (
        padded_border, as_values(0, 1, 2), ".png", ["background", "a", "b"], ["background", "a", "b"],
    ),
    "16 bits": (one_disk, as_values(0, 65535), ".png", ["background", "cell"], ["background", "cell"]),
}  # fmt: skip


@pytest.mark.parametrize("kind", CERTAIN)
def test_what_is_certain_is_read_without_a_question(tmp_path: Path, kind: str) -> None:
    draw, store, suffix, classes, names = CERTAIN[kind]
    truths = make(tmp_path, draw, store, suffix)
    result = check(tmp_path, classes)
    require_truth(result, truths, names, 0.03 if suffix == ".jpg" or store is blurred else 0.0)
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
    "a red background, unnamed": (
        three, as_colors("#ff0000", "#00ff00", "#0000ff", "#ffff00"), ".png", None,
        ["background", "class_00ff00", "class_0000ff", "class_ffff00"], "guess",
    ),
    "a soft transition": (one_disk, soft, ".png", None, ["background", "foreground"], "guess"),
    "a third class in JPEG": (
        nested, as_values(0, 128, 255), ".jpg", None, ["background", "class_128", "class_255"], "guess",
    ),
    "255 is a thin object": (
        crossed, as_values(0, 1, 255), ".png", None, ["background", "class_1", "class_255"], "guess",
    ),
    "a background of 255": (
        nested, as_values(255, 128, 0), ".png", ["background", "disc", "cup"], ["background", "cup", "disc"], "guess",
    ),
    "void or a class along borders": (
        ringed, as_values(0, 128), ".png", ["background", "cell", "rim"], ["background", "cell"], "class",
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
    elif answer == "class":
        names, truths = classes or [], {key: np.where(truth == 255, 2, truth) for key, truth in truths.items()}
    inexact = suffix == ".jpg" or store is soft
    require_truth(otherwise if answer == "other" else guessed, truths, names, 0.05 if inexact else 0.0)


# --- legends ----------------------------------------------------------------------------------------------------------

RED, GREEN, BLACK, WHITE = "#ff0000", "#00ff00", "#000000", "#ffffff"
CVAT = "# label:color_rgb:parts:actions\nbackground:0,0,0::\ncat:255,0,0::\ndog:0,255,0::\n"
NAMES = ["background", "cat", "dog"]

LEGENDS: dict[str, tuple[str, str, Draw, Callable[[Mask], Image.Image], str, list[str] | None, list[str]]] = {
    # kind: file, its text, masks, storage, suffix, --classes, names of the truth
    "CVAT": ("labelmap.txt", CVAT, nested, as_colors(BLACK, RED, GREEN), ".png", None, NAMES),
    "CVAT, any order": (
        "labelmap.txt", "dog:0,255,0::\nbackground:0,0,0::\ncat:255,0,0::\n", nested, as_colors(BLACK, RED, GREEN),
        ".png", None, NAMES,
    ),
    "CVAT, inverted": (
        "labelmap.txt", "background:255,0,0::\ncat:0,0,0::\n", one_disk, as_colors(RED, BLACK), ".png", None, NAMES[:2],
    ),
    "CVAT and the same names": (
        "labelmap.txt", CVAT, nested, as_colors(BLACK, RED, GREEN), ".png", ["background", "dog", "cat"], NAMES,
    ),
    "CVAT as JPEG": ("labelmap.txt", CVAT, nested, as_colors(BLACK, RED, GREEN), ".jpg", None, NAMES),
    "CVAT with a palette": ("labelmap.txt", CVAT, nested, as_palette(BLACK, RED, GREEN), ".png", None, NAMES),
    "CVAT with a palette in another order": (
        "labelmap.txt", "background:0,0,0::\ndog:0,255,0::\ncat:255,0,0::\n", nested, as_palette(BLACK, RED, GREEN),
        ".png", None, NAMES,
    ),
    "CVAT with index masks": ("labelmap.txt", CVAT, nested, as_values(0, 1, 2), ".png", None, NAMES),
    "CVAT black and white": (
        "labelmap.txt", "background:0,0,0::\ncat:255,255,255::\n", one_disk, as_values(0, 255), ".png", None, NAMES[:2],
    ),
    "CVAT with a class that no mask shows": (
        "labelmap.txt", CVAT + "horse:0,0,255::\n", nested, as_colors(BLACK, RED, GREEN), ".png", None, NAMES,
    ),
    "Roboflow": (
        "_classes.csv", "Pixel Value, Class\n0, background\n1, cat\n2, dog\n", nested, as_values(0, 1, 2), ".png", None,
        NAMES,
    ),
    "Roboflow, other values": (
        "_classes.csv", "Pixel Value, Class\n0, background\n255, dog\n204, cat\n", nested, as_values(0, 204, 255),
        ".png", None, NAMES,
    ),
    "Roboflow against the order of the names": (
        "_classes.csv", "Pixel Value, Class\n0, background\n1, cat\n2, dog\n", nested, as_values(0, 1, 2), ".png",
        ["background", "dog", "cat"], NAMES,
    ),
    "void along borders that the legend lacks": (
        "_classes.csv", "Pixel Value, Class\n0, background\n1, cat\n2, dog\n", void_border, as_values(0, 1, 2), ".png",
        None, NAMES,
    ),
    "label_colors.txt": (
        "label_colors.txt", "0 0 0\tbackground\n0 255 0\tdog\n255 0 0\tcat\n", nested, as_colors(BLACK, RED, GREEN),
        ".png", None, NAMES,
    ),
    "class_dict.csv": (
        "class_dict.csv", "name,r,g,b\nbackground,0,0,0\ndog,0,255,0\ncat,255,0,0\n", nested,
        as_colors(BLACK, RED, GREEN), ".png", None, NAMES,
    ),
    "classes.txt": ("classes.txt", "background\ncat\ndog\n", nested, as_values(0, 1, 2), ".png", None, NAMES),
    "classes.txt without a background": ("classes.txt", "cat\ndog\n", nested, as_values(0, 1, 2), ".png", None, NAMES),
    "classes.txt for 0 and 255": (
        "classes.txt", "background\ncat\n", one_disk, as_values(0, 255), ".png", None, NAMES[:2],
    ),
    "data.yaml without a background": (
        "data.yaml", "names: [cat, dog]\nnc: 2\n", nested, as_values(0, 1, 2), ".png", None, NAMES,
    ),
    "two spellings of a name": (
        "_classes.csv", "Pixel Value, Class\n0, bg\n1,cat\n2, cat \n", nested, as_values(0, 1, 2), ".png", None,
        ["background", "cat", "cat"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", LEGENDS)
def test_a_legend_is_read_without_a_question(tmp_path: Path, kind: str) -> None:
    file, text, draw, store, suffix, classes, names = LEGENDS[kind]
    truths = make(tmp_path, draw, store, suffix)
    (tmp_path / file).write_text(text)
    result = check(tmp_path, classes)
    require_truth(result, truths, names, 0.05 if suffix == ".jpg" else 0.0)
    assert set(find_dataset(result.data).labels.names) == set(names)


ASKED_LEGENDS: dict[str, tuple[str, Draw, Callable[[Mask], Image.Image], list[str] | None, list[str], str]] = {
    # kind: text of _classes.csv or classes.txt, masks, storage, --classes, names by the guess, question
    "a value that it lacks": (
        "Pixel Value, Class\n0, background\n1, cat\n", nested, as_values(0, 1, 2), None,
        ["background", "cat", "ignore"],
        "what is 2? _classes.csv does not list it",
    ),
    "fewer names": (
        "Pixel Value, Class\n0, background\n1, cat\n2, dog\n", nested, as_values(0, 1, 2), ["background", "cat"],
        ["background", "cat", "background"], "what are dog of _classes.csv, which are not among the named classes?",
    ),
    "other names": (
        "Pixel Value, Class\n0, background\n1, Katze\n2, Hund\n", nested, as_values(0, 1, 2), NAMES, NAMES,
        "is cat the class Katze of _classes.csv?",
    ),
    "names only, and 0 surrounds": (
        "cat\ndog\n", one_disk, as_values(0, 1), None, ["background", "cat"],
        "is 0 the background, and 1 the class cat? classes.txt lists no background, but 0 surrounds",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", ASKED_LEGENDS)
def test_what_a_legend_leaves_open_is_asked(tmp_path: Path, kind: str) -> None:
    text, draw, store, classes, names, expected = ASKED_LEGENDS[kind]
    truths = make(tmp_path, draw, store)
    (tmp_path / ("_classes.csv" if "," in text else "classes.txt")).write_text(text)
    asked = question(check(tmp_path, classes))
    assert asked.what == expected
    if "ignore" in names:
        truths = {key: np.where(truth == names.index("ignore"), 255, truth) for key, truth in truths.items()}
    require_truth(check(tmp_path, classes, accept_guesses=True), truths, [name for name in names if name != "ignore"])
    other = alternative(asked)
    told = {"classes": classes} if classes else {}
    assert not other or check(tmp_path, **{**told, **other}).errors == []


def test_void_that_surrounds_is_asked(tmp_path: Path) -> None:
    make(tmp_path, nested, as_colors(BLACK, RED, GREEN))
    (tmp_path / "class_dict.csv").write_text("name,r,g,b\ncat,255,0,0\ndog,0,255,0\nVoid,0,0,0\n")
    asked = question(check(tmp_path))
    assert asked.what == "is #000000 unknown ground truth? class_dict.csv calls it void, but it surrounds the others"
    assert asked.guess["data.values"]["#000000"] == "ignore"
    background = alternative(asked)
    assert background["classes"] == NAMES
    assert background["values"]["#000000"] == "background"
    assert check(tmp_path, **background).errors == []


def test_void_along_borders_is_not_asked(tmp_path: Path) -> None:
    make(tmp_path, void_border, as_values(0, 1, 2))
    (tmp_path / "_classes.csv").write_text("Pixel Value, Class\n0, sky\n1, cat\n2, dog\n255, void\n")
    assert check(tmp_path).errors == []


# --- more kinds -------------------------------------------------------------------------------------------------------


def two_notations(mask: Mask) -> Image.Image:
    """Every second mask holds {0, 255} instead of {0, 1}."""
    return as_values(0, 255 if int(mask.sum()) % 2 else 1)(mask)


def test_two_notations_are_one_class_where_two_are_named(tmp_path: Path) -> None:
    truths = make(tmp_path, one_disk, two_notations)
    result = check(tmp_path, ["background", "disc"])
    assert result.data.values == {0: "background", 1: "disc", 255: "disc"}
    require_truth(result, truths, ["background", "disc"])


def test_two_notations_without_names_are_asked_about(tmp_path: Path) -> None:
    truths = make(tmp_path, one_disk, two_notations)
    asked = question(check(tmp_path))
    assert asked.what == "do 1 and 255 mean the same class? No mask holds both"
    require_truth(check(tmp_path, accept_guesses=True), truths, ["background", "foreground"])
    assert check(tmp_path, **alternative(asked)).errors == []


def test_names_that_differ_in_blanks_are_one_class(tmp_path: Path) -> None:
    truths = make(tmp_path, nested, as_values(0, 1, 2))
    require_truth(check(tmp_path, ["background", "disc", "disc "]), truths, ["background", "disc", "disc"])


@pytest.mark.parametrize("name", ["other", "void"])
def test_a_first_class_that_surrounds_under_another_name_is_a_warning(tmp_path: Path, name: str) -> None:
    make(tmp_path, one_disk, as_values(0, 1))
    result = check(tmp_path, [name, "cat"])
    (finding,) = [finding for finding in result.findings if finding.code == "background-name"]
    assert result.errors == []
    assert finding.severity == "warning"
    assert finding.what == f"{name} surrounds the other classes, but counts as foreground"
    assert finding.advice == f"if it is the background, call it background instead of {name}"
    renamed = check(tmp_path, ["background", "cat"])
    assert "background-name" not in [finding.code for finding in renamed.findings]


def test_told_values_are_completed_by_void_along_borders_only(tmp_path: Path) -> None:
    told = {0: "background", 1: "a", 2: "b"}
    truths = make(tmp_path / "border", void_border, as_values(0, 1, 2))
    result = check(tmp_path / "border", values=told)
    assert result.data.values == {**told, 255: "ignore"}
    require_truth(result, truths, ["background", "a", "b"])
    make(tmp_path / "object", nested, as_values(0, 1, 255))
    asked = question(check(tmp_path / "object", values={0: "background", 1: "a"}))
    assert asked.what == "what is 255? data.values does not name it, and it does not lie along borders as void does"
    assert asked.guess == {"data.values": {0: "background", 1: "a", 255: "ignore"}}
    assert asked.undecided == (255,)
    assert check(tmp_path / "object", values={0: "background", 1: "a"}, accept_guesses=True).errors == []


def test_a_yaml_file_is_asked_about_values_that_it_does_not_name(tmp_path: Path) -> None:
    make(tmp_path, nested, as_values(0, 1, 255))
    config = tmp_path / "data.yml"
    data = {"root": str(tmp_path), "values": {0: "background", 1: "a"}}
    config.write_text(yaml.safe_dump({"data": data}))
    assert question(kseg.check(config)).guess == {"data.values": {0: "background", 1: "a", 255: "ignore"}}


def test_a_rare_class_between_two_others_in_jpeg_masks_is_no_smoothed_edge(tmp_path: Path) -> None:
    make(tmp_path, two_kinds_of_specks, as_values(0, 127, 255), ".jpg")
    assert question(check(tmp_path, ["background", "a"])).severity == "question"
    assert question(check(tmp_path)).severity == "question"


def test_face_parts_are_no_numbers_of_objects(tmp_path: Path) -> None:
    """Parts in one piece each, some of which are missing in some images."""

    def face(rng: np.random.Generator) -> Mask:
        mask = disk(canvas(), 32, 40, 26, 1)
        parts = [(22, 28), (22, 52), (34, 40), (46, 40), (8, 40), (55, 40)]
        for i, (row, column) in enumerate(parts):
            if i in (0, 1, 2) or rng.random() < 0.5:
                disk(mask, row, column, 4, i + 2)
        return mask

    truths = make(tmp_path, face, as_values(*range(8)))
    require_truth(check(tmp_path), truths, ["background", *(f"class_{i}" for i in range(1, 8))])


# --- any masks --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """Masks of a known truth.

    Args:
        draw: Draws class ids and void.
        count: Number of classes.
        store: Stores them.
        suffix: ``.png`` or ``.jpg``.
        classes: ``--classes``.
        tolerance: Fraction of the pixels that compression or smoothing may change.
        kind: For messages.
    """

    draw: Draw = field(repr=False)
    count: int
    store: Callable[[Mask], Image.Image] = field(repr=False)
    suffix: str
    classes: list[str] | None
    tolerance: float
    kind: str


def draw_case(rng: np.random.Generator) -> Case:
    """Random classes, arrangement, values in any order, void, palette or colours, smoothing or compression, names."""
    count = int(rng.integers(2, 5))
    scattered, void = bool(rng.random() < 0.4), str(rng.choice(["none", "none", "border", "padding"]))
    storage = str(rng.choice(["ids", "ids", "from one", "greys", "shuffled", "colors", "palette", "jpeg", "smooth"]))
    if storage in ("jpeg", "smooth", "colors", "palette"):
        void = "none"
    names = ["background", *"abcd"[: count - 1]]
    classes = [names, None, names[1:] if count > 2 else None][int(rng.integers(3))]

    def draw(rng: np.random.Generator) -> Mask:
        mask = canvas()
        for value in rng.permutation(np.arange(1, count)):
            for _ in range(rng.integers(2, 5) if scattered else 1):
                place = rng.uniform(5, 60, 2) * (1, 1.2) if scattered else rng.uniform(20, 44, 2)
                disk(mask, *place, rng.uniform(3, 7) if scattered else rng.uniform(6, 16), int(value))
        square = np.ones((3, 3), np.uint8)
        if void == "border":
            mask[cv2.dilate(mask, square) != cv2.erode(mask, square)] = 255
        elif void == "padding":
            mask[: rng.integers(3, 12)] = 255
        return mask

    greys = [int(grey) for grey in np.linspace(0, 254 if void != "none" else 255, count)]
    values = {
        "ids": list(range(count)), "from one": list(range(1, count + 1)), "greys": greys,
        # Where classes are named, value i is class i by definition.
        "shuffled": rng.permutation(greys if classes else range(count)).tolist(),
    }.get(storage, greys)  # fmt: skip
    if storage == "jpeg" or storage == "smooth":
        values = values[::-1] if rng.random() < 0.3 else values
    colors = [BLACK, RED, GREEN, "#0000ff"][:count]
    rng.shuffle(colors)

    def smooth(mask: Mask) -> Image.Image:
        size = int(rng_of_case.integers(1, 4)) * 2 + 1
        return Image.fromarray(cv2.GaussianBlur(np.asarray(as_values(*values)(mask)), (size, size), 0))

    rng_of_case = np.random.default_rng(0)
    store = {"colors": as_colors(*colors), "palette": as_palette(*colors), "smooth": smooth}.get(
        storage, as_values(*values)
    )
    return Case(
        draw, count, store, ".jpg" if storage == "jpeg" else ".png", classes,
        0.06 if storage in ("jpeg", "smooth") else 0.0,
        f"{storage} {values if storage != 'colors' else colors} void={void} scattered={scattered}",
    )  # fmt: skip


def wrong_share(result: DataCheck, truths: Mapping[str, Mask], case: Case) -> float:
    """The largest fraction of a mask that is decoded wrongly; without names, classes may have any names and order."""
    dataset = find_dataset(result.data)
    labels = dataset.labels
    pairs = [(truths[sample.key], read_truth(sample, labels)) for sample in dataset.samples("all")]
    truth, read = (np.concatenate([pair[i].ravel() for pair in pairs]) for i in (0, 1))
    if case.classes is not None:
        ids = np.full(256, 255)
        for i, name in enumerate(["background", *"abcd"[: case.count - 1]]):
            ids[i] = labels.names.index(name) if name in labels.names else 254
    else:
        # The class that most of the pixels are read as; the background has to be read as such.
        ids = np.full(256, 255)
        for i in range(case.count):
            same = read[truth == i]
            ids[i] = np.bincount(same).argmax() if same.size else 254
        if (labels.background == 0) != (ids[0] == 0) or len(set(ids[: case.count])) < case.count:
            return 1.0
    return float((ids[truth] != read).mean())


@pytest.mark.parametrize("seed", range(30))
def test_what_is_certain_is_the_truth_and_else_a_guess_settles_the_question(tmp_path: Path, seed: int) -> None:
    case = draw_case(np.random.default_rng(seed))
    truths = make(tmp_path, case.draw, case.store, case.suffix, seed=seed)
    result = check(tmp_path, case.classes)
    if result.errors:
        question(result)
        assert check(tmp_path, case.classes, accept_guesses=True).errors == [], case
    else:
        assert wrong_share(result, truths, case) <= case.tolerance, case
