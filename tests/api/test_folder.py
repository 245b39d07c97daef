"""A folder is read in the same way by the check, a training, an evaluation and `kseg.data.from_folder`."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

import kseg
from kseg.config import load_config
from kseg.data.find import find_dataset
from kseg.data.truth import read_truth
from kseg.errors import DataError
from tests.data.layouts import LAYOUTS, disc

TINY = {"imgsz": [16, 16], "widths": [4, 8], "epochs": 1, "augment": "none"}

QUESTIONS = {"inverted": "inverted", "depth_beside": "left-out", "instances": "instances"}
"""The layouts that leave a question open, and the code of the question."""


@pytest.fixture(params=LAYOUTS)
def layout(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Path]:
    """The name of a layout and a folder with it."""
    return request.param, LAYOUTS[request.param](tmp_path / "data set")


def test_a_question_is_asked_where_more_than_one_reading_is_possible(layout: tuple[str, Path]) -> None:
    name, folder = layout
    checked = kseg.check(folder)
    assert [finding.code for finding in checked.errors] == ([QUESTIONS[name]] if name in QUESTIONS else [])
    assert all(finding.guess and finding.severity == "question" for finding in checked.errors)


def test_every_picture_is_accounted_for(layout: tuple[str, Path]) -> None:
    _, folder = layout
    account = kseg.check(folder).checked.inspection.account
    assert account is not None
    pictures = [path for path in folder.rglob("*") if path.suffix in (".png", ".jpg")]
    left_out = sum(account.folders.values()) + len(account.stray)
    assert account.pictures == len(pictures) == account.images + account.masks + left_out


def test_what_the_check_passes_trains(layout: tuple[str, Path], tmp_path: Path) -> None:
    name, folder = layout
    checked = kseg.check(folder, fix_config=tmp_path / "fixed.yaml", accept_guesses=True)
    assert checked.errors == []
    dataset = find_dataset(load_config(tmp_path / "fixed.yaml").data)
    if name != "instances":
        for sample in dataset.samples("all"):
            truth = read_truth(sample, dataset.labels)
            labelled = truth != 255
            # Masks of half the size, and outlines of polygons, are off by a pixel at the edge of the disc.
            assert (truth == disc(int(Path(sample.key).name[1:3])))[labelled].mean() > 0.95
            assert labelled.mean() > 0.9
    cache = "none" if name == "damaged" else "ram"
    run = kseg.fit(tmp_path / "fixed.yaml", project=tmp_path / "runs", cache=cache, **TINY)
    assert 0 <= run.best["val_iou"] <= 1


@pytest.mark.parametrize("name", ["void_border", "without_validation", "few", "voc"])
def test_a_training_on_the_folder_uses_what_is_certain(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = LAYOUTS[name](tmp_path / "data set")
    with caplog.at_level(logging.INFO, logger="kseg"):
        run = kseg.fit(data=folder, project=tmp_path / "runs", **TINY)
    checked = kseg.check(folder)
    used = load_config(run.folder / "args.yaml")
    assert used.data == checked.data
    for finding in checked.settled:
        assert any(line in caplog.text for line in finding.lines), "what is used is said"


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_question_stops_batches_and_its_arguments_give_them(name: str, tmp_path: Path) -> None:
    folder = LAYOUTS[name](tmp_path / "data set")
    with pytest.raises(DataError) as error:
        kseg.data.from_folder(folder, batch=2, size=(16, 16))
    arguments = str(error.value).partition("answer with ")[2].rpartition(", if that is right")[0]
    train, _ = eval(f"kseg.data.from_folder(folder, batch=2, size=(16, 16), {arguments})", {**globals(), **locals()})
    images, _ = next(iter(train))
    assert images.shape == (2, 16, 16, 3)


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_question_stops_a_training_and_its_answer_starts_it(name: str, tmp_path: Path) -> None:
    folder = LAYOUTS[name](tmp_path / "data set")
    (question,) = kseg.check(folder).errors
    with pytest.raises(DataError) as error:
        kseg.fit(data=folder, project=tmp_path / "runs", **TINY)
    assert question.answer in str(error.value)
    assert "\n" not in str(error.value)
    run = kseg.fit(data=folder, project=tmp_path / "runs", **TINY, **question.guess)
    assert run.best_epoch == 1


def test_an_evaluation_reads_a_folder_with_the_classes_of_the_model(tmp_path: Path) -> None:
    train = LAYOUTS["objects_of_255"](tmp_path / "train")
    run = kseg.fit(data=train, classes=["background", "disc"], project=tmp_path / "runs", **TINY)
    for name in ("objects_of_255", "folders", "coco", "one_folder"):
        scores = kseg.evaluate(run, LAYOUTS[name](tmp_path / name), split="all", boundary=False)
        assert scores.images == 12
        assert scores.per_class["disc"]["iou"] >= 0
    with pytest.raises(DataError, match=r"data\.unused"):
        kseg.evaluate(run, LAYOUTS["depth_beside"](tmp_path / "depth_beside"))
