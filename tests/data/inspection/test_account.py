"""Every picture and annotation file of a folder is read, explained, or asked about; each answer works as written."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

import kseg
from kseg.data.inspection.findings import Finding
from kseg.errors import ConfigError, DataError
from kseg.images import jpeg_bytes, png_bytes
from kseg.provenance import Origin, write_marked
from tests.data.formats.tree_maker import COCO, add, add_text, photo, read, settle, square


def finding(root: Path, code: str, **settings: Any) -> Finding:
    """The finding of `kseg.check`."""
    result = kseg.check(root, classes=["background", "thing"], batch=1, **settings)
    return next(finding for finding in result.findings if finding.code == code)


def answer(root: Path, **settings: Any) -> list[str]:
    """The findings that prevent a training with these settings."""
    result = kseg.check(root, classes=["background", "thing"], batch=1, **settings)
    return [finding.what for finding in result.errors]


def make(root: Path, count: int = 40) -> Path:
    """Pairs in ``images`` and ``masks``."""
    names = [f"{number:02}" for number in range(count)]
    add(root, "images/{}.png", "masks/{}.png", names=names)
    return root


# --- the account ------------------------------------------------------------------------------------------------------


def test_where_everything_is_read_there_is_nothing_to_say(tmp_path: Path) -> None:
    account = read(make(tmp_path)).account
    assert (account.images, account.masks, account.pictures) == (40, 40, 80)
    assert (dict(account.folders), account.stray, account.annotations, dict(account.explained)) == ({}, [], [], {})


def test_the_parts_of_the_account_add_up_to_all_pictures(tmp_path: Path) -> None:
    add(make(tmp_path), "depth/{}.png", "images/thumbs/{}.png")
    account = read(tmp_path, unused=("depth",)).account
    assert (account.explained_pictures, dict(account.folders)) == (4, {"images/thumbs": 4})
    assert account.images + account.masks + account.explained_pictures + 4 == account.pictures == 88


def test_a_folder_of_pictures_is_a_question(tmp_path: Path) -> None:
    add(make(tmp_path), "depth/{}.png")
    question = finding(tmp_path, "left-out")
    assert (question.severity, question.what) == ("question", "4 of 84 pictures are not read")
    assert (question.found, dict(question.guess)) == ("depth (4 pictures)", {"data.unused": ["depth"]})
    assert question.advice == "to read them, name the folders in data.images and data.masks"
    assert answer(tmp_path, unused=["depth"]) == []
    assert answer(tmp_path, images="images", masks="masks") == []


def test_a_part_without_masks_is_one_question_with_one_answer(tmp_path: Path) -> None:
    add(tmp_path, *(f"{part}/{kind}/{{}}.png" for part in ("a", "b") for kind in ("images", "masks")))
    add(tmp_path, "c/images/{}.png")
    assert dict(finding(tmp_path, "left-out").guess) == {"data.unused": ["c"]}
    assert answer(tmp_path, unused=["c"]) == []
    assert read(tmp_path, unused=("c",)).spec.images == "*/images"


def test_nested_folders_of_pictures_are_named_by_the_outermost(tmp_path: Path) -> None:
    add(make(tmp_path), "old/a/{}.png", "old/b/c/{}.png")
    assert dict(finding(tmp_path, "left-out").guess) == {"data.unused": ["old"]}
    assert answer(tmp_path, unused=["old"]) == []


def test_earlier_answers_are_kept(tmp_path: Path) -> None:
    add(make(tmp_path), "depth/{}.png", "flow/f{}.png")
    question = finding(tmp_path, "left-out", unused=["depth"])
    assert dict(question.guess) == {"data.unused": ["depth", "flow"]}


def test_an_annotation_file_is_a_question(tmp_path: Path) -> None:
    add_text(make(tmp_path), **{"more/table.csv": "image,mask\nx,y\n"})
    question = finding(tmp_path, "left-out")
    assert (question.what, question.found) == ("1 annotation file is not read", "more/table.csv")
    assert dict(question.guess) == {"data.unused": ["more"]}
    assert question.advice == "to read it, name the file in data.annotations"
    assert answer(tmp_path, unused=["more"]) == []


def test_a_list_is_a_question_that_names_the_split(tmp_path: Path) -> None:
    add_text(make(tmp_path), **{"a/train.txt": "01\n02\n", "b/train.txt": "01\n"})
    question = finding(tmp_path, "left-out")
    assert (question.found, question.advice) == (
        "a/train.txt, b/train.txt",
        "to read them, name the list in data.split",
    )
    assert answer(tmp_path, unused=question.guess["data.unused"]) == []


def test_a_few_pictures_are_a_note(tmp_path: Path) -> None:
    add(make(tmp_path), "cover.png", names="x")
    add(tmp_path, "images/stray_{}.png", names="x")
    (tmp_path / "cover.png").unlink()
    result = kseg.check(tmp_path, classes=["background", "thing"], batch=1)
    assert (result.errors, result.data.unpaired) == ([], "skip")
    assert "unpaired" in [finding.code for finding in result.settled]


def test_more_than_a_twentieth_without_a_mask_is_a_question(tmp_path: Path) -> None:
    add(make(tmp_path), "images/more{}.png", names="abcdefg")
    question = finding(tmp_path, "unpaired")
    assert dict(question.guess) == {"data.unpaired": "skip"}
    assert question.what.startswith("7 of 47 images have no mask")
    assert answer(tmp_path, unpaired="skip") == []
    account = read(tmp_path, unpaired="skip").account
    assert dict(account.explained) == {"other pictures of the same folders": "data.unpaired: skip"}


def test_a_picture_in_the_root_is_named_without_the_folders(tmp_path: Path) -> None:
    add(make(tmp_path), "{}.png", names=["cover"])
    question = finding(tmp_path, "left-out")
    assert dict(question.guess) == {"data.unused": ["cover.png"]}
    assert answer(tmp_path, unused=["cover.png"]) == []
    add(tmp_path, "depth/{}.png")
    assert answer(tmp_path, unused=["cover.png", "*.png"]) != []


def test_many_pictures_of_a_kind_are_one_glob(tmp_path: Path) -> None:
    names = [f"{number:02}" for number in range(10)]
    add(tmp_path, "{}.jpg", "{}_mask.png", "{}_depth.tif", names=names)
    question = finding(tmp_path, "unpaired")
    assert dict(question.guess) == {"data.unpaired": "skip"}
    assert answer(tmp_path, unused=["*_depth.tif"]) == []
    (tmp_path / "images").mkdir()
    add(tmp_path, "images/{}.bmp", names=names)
    assert dict(finding(tmp_path, "left-out", unpaired="skip").guess) == {"data.unused": ["images"]}


def test_many_pictures_in_no_list_are_a_question_that_the_split_answers(tmp_path: Path) -> None:
    add_text(make(tmp_path), **{"train.txt": "\n".join(f"{number:02}" for number in range(30)), "val.txt": "31\n32\n"})
    question = finding(tmp_path, "left-out")
    split = question.guess["data.split"]
    assert question.what == "16 of 80 pictures are in no list"
    lists = {key: Path(split[key]).name for key in split}
    assert lists == {"by": "lists", "train": "train.txt", "val": "val.txt", "test": ""}
    assert answer(tmp_path, split=split) == []
    assert answer(tmp_path, split={"by": "fractions"}, unused=["train.txt", "val.txt"]) == []


def test_names_with_brackets_are_answered_literally(tmp_path: Path) -> None:
    add(make(tmp_path), "old [1]/{}.png")
    question = finding(tmp_path, "left-out")
    assert answer(tmp_path, unused=question.guess["data.unused"]) == []


def test_the_answer_is_a_line_of_a_configuration(tmp_path: Path) -> None:
    add(make(tmp_path), "depth/{}.png", "old [1]/{}.png")
    (option, line) = shlex.split(finding(tmp_path, "left-out").answer)
    key, _, value = line.partition("=")
    assert (option, key, answer(tmp_path, unused=yaml.safe_load(value))) == ("--set", "data.unused", [])


@pytest.mark.parametrize("entry", ["depth", "depth/", "./depth", "dep*", "depth/*.png", "**/depth", "d[e]pth"])
def test_the_ways_to_name_what_is_unused(tmp_path: Path, entry: str) -> None:
    add(make(tmp_path), "depth/{}.png")
    assert answer(tmp_path, unused=[entry]) == []


def test_what_is_unused_cannot_be_everything(tmp_path: Path) -> None:
    make(tmp_path, 4)
    with pytest.raises(
        ConfigError, match=r"^data\.unused: data\.unused names every picture of data\.images; found images;"
    ):
        settle(tmp_path, unused=("images",))


def test_a_wildcard_matches_no_other_folder(tmp_path: Path) -> None:
    add(make(tmp_path), "depth/{}.png", "deep/x/{}.png")
    with pytest.raises(DataError, match=r"4 of 88 pictures are not read; found deep/x \(4 pictures\)"):
        settle(tmp_path, unused=("depth", "*.png", "x"))


# --- what kseg wrote --------------------------------------------------------------------------------------------------


def test_predictions_and_overlays_of_kseg_are_no_pictures_of_the_data_set(tmp_path: Path) -> None:
    make(tmp_path, 4)
    for number in range(4):
        image = tmp_path / "images" / f"{number:02}.png"
        origin = Origin.of("kseg predict", image)
        for folder in ("predicted", "images/with masks"):
            path = tmp_path / folder / f"{number:02}_mask.png"
            path.parent.mkdir(exist_ok=True)
            write_marked(path, png_bytes(square(number)), origin)
            write_marked(path.with_suffix(".jpg"), jpeg_bytes(photo(number)), origin)
    actual = read(tmp_path)
    assert (actual.spec.images, len(actual.samples), actual.left) == ("images/*", 4, None)
    assert dict(actual.account.explained) == {"16 pictures": "written by kseg"}


def test_predictions_of_kseg_are_masks_where_the_user_says_so(tmp_path: Path) -> None:
    add(tmp_path, "images/{}.png")
    (tmp_path / "masks").mkdir()
    for name in "abcd":
        origin = Origin.of("kseg predict", tmp_path / "images" / f"{name}.png")
        write_marked(tmp_path / "masks" / f"{name}.png", png_bytes(square()), origin)
    with pytest.raises(
        DataError, match=r"no layout of a data set is recognised; .*images \(4\); 4 more are kseg's own"
    ):
        settle(tmp_path)
    assert settle(tmp_path, masks="masks").images == "images"


def test_runs_inside_the_folder_are_no_part_of_it(tmp_path: Path) -> None:
    make(tmp_path, 4)
    run = tmp_path / "runs" / "fit" / "faces"
    add_text(run, **{"args.yaml": "x: 1", "env.json": "{}", "instances.json": COCO})
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(run / "labels.png")
    actual = read(tmp_path)
    assert (actual.left, dict(actual.account.explained)) == (None, {"runs/fit/faces": "a training of kseg"})


# --- links ------------------------------------------------------------------------------------------------------------


def test_a_picture_counts_as_read_by_whichever_link(tmp_path: Path) -> None:
    add(tmp_path, "all/{}.png", "masks/{}.png")
    (tmp_path / "images").mkdir()
    for name in "abcd":
        (tmp_path / "images" / f"{name}.png").symlink_to(tmp_path / "all" / f"{name}.png")
    actual = read(tmp_path, images="images")
    assert (len(actual.samples), actual.left) == (4, None)
