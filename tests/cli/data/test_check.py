"""``kseg data check``: what it prints, asks, draws and writes, and how it exits."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path

import click
import cv2
import numpy as np
import pytest
import yaml
from PIL import Image

from kseg.config import load_config
from kseg.data.find import find_dataset
from tests.cli.conftest import Call
from tests.data.folders import make_pairs, write
from tests.data.layouts import LAYOUTS, pairs

NAMES = [f"n{i}" for i in range(10)]

REAL = {
    "pets": ("background,pet", {"labels-from-one", "misnamed"}, "{1: pet, 2: background, 3: ignore}"),
    "portraits": (
        "background,person",
        {"inverted", "rgb-masks", "copies-across-splits"},
        "{0: person, 255: background}",
    ),
    "nuclei": ("background,nucleus", {"zero-255"}, "{0: background, 255: nucleus}"),
    "membrane": ("membrane,cell", {"zero-255", "gray-images"}, "{0: membrane, 255: cell}"),
    "camvid": (
        "sky,building,pole,road,pavement,tree,sign,fence,car,pedestrian,bicyclist",
        {"void", "suffixes"},
        "11: ignore}",
    ),
    "faces": (
        "background,skin,nose,eyeglasses,l_eye,r_eye,l_brow,r_brow,l_ear,r_ear,mouth,u_lip,l_lip,hair,hat,earring,"
        "necklace,neck,cloth",
        {"p-masks", "rare-class"},
        "",
    ),
    "coco_tiny": ("background,person,car", {"id-gaps", "crowds", "empty-masks"}, ""),
}
"""Set → its classes, the traps that the check names, and the end of the values that it writes."""


@pytest.fixture
def clean(tmp_path: Path) -> Path:
    return pairs(tmp_path / "photos", "images/{}.png", "masks/{}.png")


@pytest.fixture
def nuclei(tmp_path: Path) -> Path:
    return LAYOUTS["objects_of_255"](tmp_path / "nuclei")


@pytest.fixture
def doubtful(tmp_path: Path) -> Path:
    """Masks that look inverted, and depth maps beside the images."""
    LAYOUTS["inverted"](tmp_path / "doubtful")
    return LAYOUTS["depth_beside"](tmp_path / "with depth") and tmp_path / "doubtful"


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Sets what a person types at the prompts."""

    def answers(*typed: str) -> None:
        replies = iter(typed)

        def prompt(text: str, **options: object) -> str:
            assert "KEY=VALUE" in text
            assert options["err"], "stdout is for the report"
            return next(replies)

        monkeypatch.setattr(click, "prompt", prompt)

    return answers


def test_a_clean_folder_exits_0_in_five_lines(call: Call, clean: Path) -> None:
    code, out, err = call("data", "check", clean)
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        f"{clean}: 12 samples: train 10, val 1, test 1 (at random)",
        "files    folders: 12 images in images, 12 masks in masks; every picture is read",
        "classes  background, foreground; values {0: background, 1: foreground}",
        "no problems found",
        f"next: kseg fit --data {clean}",
    ]


def test_what_is_certain_is_used_and_said(call: Call, nuclei: Path) -> None:
    code, out, _ = call("data", "check", nuclei, "--classes", "background, nucleus")
    assert code == 0
    assert "used     data.values: {0: background, 255: nucleus}  (masks hold 0 and 255" in out
    assert "classes  background, nucleus; values {0: background, 255: nucleus}\n" in out
    assert f"next: kseg data check {nuclei} --classes 'background, nucleus' --fix-config data.yaml\n" in out


def test_the_configuration_that_is_written_passes(call: Call, nuclei: Path, tmp_path: Path) -> None:
    code, out, err = call("data", "check", nuclei, "--classes", "background,nucleus", "--fix-config", "fixed.yaml")
    assert (code, err) == (0, "fixed.yaml: 1 settings added; the data can be trained on\n")
    assert out.endswith("next: kseg fit fixed.yaml\n")
    text = (tmp_path / "fixed.yaml").read_text()
    assert text.startswith(f"# Written by kseg data check {nuclei}; settings that it added: data.values\n")
    data = load_config("fixed.yaml").data
    assert data.values == {0: "background", 255: "nucleus"}
    assert find_dataset(data).labels.names == ("background", "nucleus")
    assert call("data", "check", "fixed.yaml")[0] == 0


def test_a_question_names_the_options_that_answer_it(call: Call, doubtful: Path) -> None:
    code, out, err = call("data", "check", doubtful)
    assert (code, err) == (1, "")
    assert "question is 255 the background? It surrounds the other, as a background does  [inverted]\n" in out
    answer = next(line for line in out.splitlines() if "answer: " in line).partition("answer: ")[2]
    code, out, _ = call("data", "check", doubtful, *shlex.split(answer))
    assert code == 0
    assert "question " not in out
    assert "values {0: foreground, 255: background}" in out


def test_a_guess_is_marked_in_the_configuration_and_does_not_train(call: Call, doubtful: Path, tmp_path: Path) -> None:
    code, _, err = call("data", "check", doubtful, "--fix-config", "asked.yaml")
    assert code == 1
    assert "asked.yaml: 0 settings added; not yet to be trained on, for 1 question: is 255 the background?" in err
    lines = (tmp_path / "asked.yaml").read_text().splitlines()
    values = next(line for line in lines if "values:" in line)
    assert values.startswith("  values: {0: foreground, 255: background}  # guessed: is 255 the background?")
    assert "  questions: [data.values, data.classes]  # no training starts before this line is removed" in lines
    code, out, _ = call("data", "check", "asked.yaml")
    assert code == 1
    assert "is what was guessed right: data.values, data.classes?  [unanswered]" in out
    code, _, err = call("fit", "asked.yaml")
    assert code == 1
    assert "is what was guessed right: data.values, data.classes?" in err
    text = "\n".join(line for line in lines if "questions:" not in line)
    (tmp_path / "answered.yaml").write_text(text)
    assert call("data", "check", "answered.yaml")[0] == 0


def test_accepted_guesses_are_marked_and_train(call: Call, tmp_path: Path) -> None:
    folder = LAYOUTS["depth_beside"](tmp_path / "with depth")
    code, out, err = call("data", "check", folder, "--accept-guesses", "--fix-config", "accepted.yaml")
    assert (code, err) == (0, "accepted.yaml: 2 settings added; the data can be trained on\n")
    assert "  unused: [depth]  # guessed: 12 of 36 pictures are not read\n" in (tmp_path / "accepted.yaml").read_text()
    assert "not read: depth (data.unused)" in out
    assert load_config("accepted.yaml").data.unused == ("depth",)
    assert call("data", "check", "accepted.yaml")[0] == 0


def test_questions_are_asked_on_the_terminal(
    call: Call, doubtful: Path, answer: Callable[..., None], tmp_path: Path
) -> None:
    answer("y")
    code, _, err = call("data", "check", doubtful, "--ask", "--fix-config", "answered.yaml")
    assert code == 0
    assert "guess: --set 'data.values={0: foreground, 255: background}'" in err
    assert load_config("answered.yaml").data.values == {0: "foreground", 255: "background"}
    assert "guessed" not in (tmp_path / "answered.yaml").read_text(), "what is answered is no guess"
    answer("n")
    assert call("data", "check", doubtful, "--ask")[0] == 1
    answer("data.values={0: background, 255: foreground}")
    code, out, _ = call("data", "check", doubtful, "--ask")
    assert code == 0
    assert "values {0: background, 255: foreground}" in out


def test_the_picture_shows_every_undecided_value(call: Call, doubtful: Path, tmp_path: Path) -> None:
    code, _, err = call("data", "check", doubtful, "--preview", "asked.png")
    assert code == 1
    assert "asked.png: three samples with each undecided value\n" in err
    sheet = np.asarray(Image.open(tmp_path / "asked.png"))
    assert sheet.ndim == 3
    assert sheet.shape[1] > sheet.shape[0] / 2, "three rows of a picture and two values"
    code, _, err = call("data", "check", doubtful, "--preview", "asked.png")
    assert code == 1
    assert "asked.png: the file exists already; choose another file for the preview, or remove this one" in err


@pytest.mark.usefixtures("nuclei")
def test_a_configuration_is_never_overwritten(call: Call, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("data: {root: nuclei}\n")
    code, _, err = call("data", "check", "mine.yaml", "--fix-config", "mine.yaml")
    assert code == 1
    assert err == (
        "error: mine.yaml: the file exists already; choose another file for the configuration, or remove this one\n"
    )
    assert (tmp_path / "mine.yaml").read_text() == "data: {root: nuclei}\n"


def test_a_configuration_is_corrected_only_in_the_file_that_is_written(
    call: Call, nuclei: Path, tmp_path: Path
) -> None:
    settings = {"root": str(nuclei), "images": "img", "masks": "gt", "classes": ["background", "nucleus"]}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({"data": settings}))
    code, out, _ = call("data", "check", "mine.yaml")
    assert code == 1
    assert "error    masks hold 0 and 255, values that data.values does not name  [zero-255]" in out
    assert "         set data.values: {0: background, 255: nucleus}\n" in out
    assert call("data", "check", "mine.yaml", "--fix-config", "corrected.yaml")[0] == 0
    assert load_config("corrected.yaml").data.values == {0: "background", 255: "nucleus"}


def test_what_no_setting_mends_is_left_and_exits_1(call: Call, tmp_path: Path) -> None:
    make_pairs(tmp_path / "odd", NAMES, values=(0, 60, 120, 180, 240))
    code, out, err = call("data", "check", "odd", "--classes", "background,x,y", "--fix-config", "fixed.yaml")
    assert code == 1
    assert "say what each value is, e.g. data.values: {60: x, 120: y, other: background}" in out
    assert "not yet to be trained on, for 1 error: masks hold values that data.values does not name" in err


def test_json_has_every_file(call: Call, nuclei: Path) -> None:
    code, out, _ = call("data", "check", nuclei, "--classes", "background,nucleus", "--json")
    report = json.loads(out)
    assert code == 0
    assert report["broken"] is False
    assert report["samples"] == {"train": 10, "val": 1, "test": 1}
    finding = next(finding for finding in report["findings"] if finding["code"] == "zero-255" and finding["settled"])
    assert (finding["severity"], finding["count"]) == ("error", 12)
    assert {"key": "data.values", "value": {"0": "background", "255": "nucleus"}} in finding["fix"]


def test_settings_win_over_the_layout(call: Call, clean: Path) -> None:
    for i in range(4):
        write(clean / "other" / f"p0{i}.png", np.eye(32, 40, dtype=np.uint8))
    code, out, _ = call("data", "check", clean, "--set", "data.masks=other")
    assert code == 1
    assert "8 of 12 images have no mask" in out
    assert "answer: --set 'data.unpaired=skip'" in out or "answer: --set data.unpaired=skip" in out


def test_a_dirty_set_fits_a_screen_with_the_most_harmful_first(call: Call, tmp_path: Path) -> None:
    folder = LAYOUTS["inverted"](tmp_path / "dirty")
    LAYOUTS["depth_beside"](tmp_path / "dirty")
    LAYOUTS["inverted"](tmp_path / "dirty")
    for number in range(3):
        (folder / "images" / f"p0{number}.png").write_bytes(b"broken")
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(folder / "masks" / "p03.png")
    (folder / "masks" / "p05.png").unlink()
    code, out, _ = call("data", "check", folder)
    lines = out.splitlines()
    assert code == 1
    assert len(lines) <= 30
    assert max(map(len, lines)) <= 200
    words = [line.split(maxsplit=1)[0] for line in lines[3:] if not line.startswith(" ")]
    ranks = [["error", "question", "used", "warning", "note", "next:"].index(word) for word in words]
    assert ranks == sorted(ranks)
    assert words[0] == "error"


@pytest.mark.usefixtures("clean")
@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (("none",), 2, "none"),
        (("empty",), 1, "no layout of a data set is recognised"),
        (("photos", "--classes", "one"), 2, "--classes: data.classes: a segmentation needs at least two classes"),
        (("photos", "--set", "data.format=cocoo"), 2, "cocoo"),
    ],
)
def test_mistakes_are_one_line(call: Call, tmp_path: Path, args: tuple, code: int, message: str) -> None:
    (tmp_path / "empty").mkdir()
    actual, _, err = call("data", "check", *args)
    assert actual == code
    assert message in err
    assert err.startswith("error: ")
    assert err.count("\n") == 1


@pytest.mark.real
@pytest.mark.parametrize("name", REAL)
def test_the_traps_of_the_published_sets(call: Call, real_data: Path, tmp_path: Path, name: str) -> None:
    classes, traps, line = REAL[name]
    code, out, err = call(
        "data", "check", real_data / name, "--classes", classes, "--fix-config", "fixed.yaml", "--json",
        "--accept-guesses",
    )  # fmt: skip
    assert code == 0
    assert err.endswith("the data can be trained on\n")
    findings = json.loads(out)["findings"]
    assert traps <= {finding["code"] for finding in findings}
    values = load_config(tmp_path / "fixed.yaml").data.values
    assert (str(values).replace("'", "") if values else "").endswith(line)


def test_settings_for_classes_that_are_none_are_not_used(call: Call, tmp_path: Path) -> None:
    root = pairs(tmp_path / "smoothed", "images/{}.png", "masks/{}.png", encode=lambda m: m.astype(np.uint8) * 255)
    path = next((root / "masks").iterdir())
    mask = np.asarray(Image.open(path).convert("L"))
    write(path, cv2.blur(mask, (3, 3)))
    code, out, _ = call("data", "check", root, "--fix-config", "fixed.yaml")
    assert code == 0
    assert "data.threshold: 128" in out
    assert "train.loss" not in out
    assert "train" not in yaml.safe_load((tmp_path / "fixed.yaml").read_text())


def test_nothing_is_said_about_classes_while_the_meaning_of_the_values_is_asked(call: Call, tmp_path: Path) -> None:
    root = LAYOUTS["instances"](tmp_path / "instances")
    code, out, _ = call("data", "check", root)
    assert code == 1
    assert "[instances]" in out
    assert "absent-class" not in out
    assert "rare-class" not in out


def test_a_question_is_a_problem(call: Call, tmp_path: Path) -> None:
    yellow = np.array([255, 255, 0], np.uint8)
    root = pairs(tmp_path / "set", "images/{}.png", "masks/{}.png", encode=lambda m: m[..., None] * yellow)
    (root / "class_dict.csv").write_text("name,r,g,b\ncat,255,255,0\nvoid,0,0,0\n")
    code, out, _ = call("data", "check", root)
    assert code == 1
    assert "question is #000000 unknown ground truth?" in out
    assert "no problems found" not in out


def test_pixels_without_an_object_are_not_ignored_unasked(call: Call, tmp_path: Path) -> None:
    root = LAYOUTS["yolo"](tmp_path / "yolo")
    (root / "data.yaml").write_text("train: images/train\nval: images/val\nnames: [disc, ring]\n")
    for label in (root / "labels").rglob("*.txt"):
        label.write_text(label.read_text() + label.read_text().replace("0 ", "1 ", 1))
    code, out, _ = call("data", "check", root, "--classes", "disc,ring")
    assert code == 1
    assert "question are pixels without an object background? It is not named  [unnamed-background]\n" in out
    assert "answer: --set 'data.classes=[background, disc, ring]'\n" in out
    assert "or if not, set data.values: {0: ignore, 1: disc, 2: ring}\n" in out
    for answer in ("data.classes=[background, disc, ring]", "data.values={0: ignore, 1: disc, 2: ring}"):
        out = call("data", "check", root, "--classes", "disc,ring", "--set", answer)[1]
        assert "unnamed-background" not in out


def test_the_classes_of_voc_are_asked_about_where_masks_may_have_others(call: Call, tmp_path: Path) -> None:
    root = LAYOUTS["voc"](tmp_path / "voc")
    assert call("data", "check", root)[0] == 0  # a person
    for path in (root / "SegmentationClass").iterdir():
        write(path, np.minimum(np.asarray(Image.open(path)), 1).astype(np.uint8))
    code, out, _ = call("data", "check", root)
    assert code == 1
    assert "question are the classes those of Pascal VOC? Masks show its first 2 only: background, aeroplane" in out
    assert "answer: --set 'data.classes=[background, aeroplane]'\n" in out
    assert "aeroplane" in call("data", "check", root, "--set", "data.classes=[background, aeroplane]")[1]
    code, out, _ = call("data", "check", root, "--classes", "background,car park")
    assert code == 0
    assert "classes  background, car park; " in out
