"""Where the images of an evaluation come from."""

from __future__ import annotations

import logging
import shutil
import zipfile
from dataclasses import replace

import pytest

from kseg.card import CARD_NAME
from kseg.errors import ConfigError, DataError, UsageError
from kseg.evaluation import choose_split, load_data
from tests.evaluation.data import write_data
from tests.inference.artifacts import RED


@pytest.fixture
def data(tmp_path):
    return write_data(tmp_path / "data")


@pytest.fixture
def model(tmp_path):
    """A file that is a model as far as its card goes."""
    with zipfile.ZipFile(tmp_path / "red.keras", "w") as archive:
        archive.writestr(CARD_NAME, RED.to_json())
    return tmp_path / "red.keras"


@pytest.fixture
def run(tmp_path, data, model):
    folder = tmp_path / "runs" / "fit" / "red"
    (folder / "weights").mkdir(parents=True)
    shutil.copy(model, folder / "weights" / "best.keras")
    (folder / "args.yaml").write_text("{}")
    load_data(data, model).save(folder / "data.json")
    return folder


def keys(dataset):
    return sorted(sample.key for sample in dataset.samples("all"))


def test_a_model_inside_a_run_knows_its_data(run, data, model):
    for path in (run, run / "weights" / "best.keras"):
        assert load_data(None, path) == load_data(data, model)


def test_a_run_a_record_a_config_and_a_folder_are_the_same_data(run, data, model, tmp_path):
    config = tmp_path / "data.yaml"
    config.write_text(f"data: {{root: {data}, classes: [background, red], values: {{0: background, 200: red}}}}\n")
    datasets = [load_data(path, model) for path in (run, run / "data.json", config, data)]
    assert all(dataset.splits == datasets[0].splits for dataset in datasets)
    assert all(dataset.labels.values == RED.labels.values for dataset in datasets)
    assert keys(datasets[0]) == list("012345")


def test_a_model_outside_a_run_needs_data(model):
    with pytest.raises(UsageError, match=r"red\.keras: the model is not in a run folder.*add --data"):
        load_data(None, model)


def test_data_that_are_not_there_are_a_usage_error(model, tmp_path):
    with pytest.raises(UsageError, match=r"--data: no such file or folder; found .*nowhere"):
        load_data(tmp_path / "nowhere", model)
    with pytest.raises(UsageError, match="--data: not a description of data"):
        load_data(model, model)


def test_a_folder_of_another_layout_is_read_by_what_is_in_it(data, model):
    (data / "masks").rename(data / "labels")
    assert keys(load_data(data, model)) == list("012345")
    (data / "labels").rename(data / "x")
    for path in (data / "x").iterdir():
        path.rename(path.with_name(f"other_{ord(path.stem)}.png"))
    with pytest.raises(DataError, match=r"no layout of a data set is recognised"):
        load_data(data, model)


def test_a_bad_record_and_a_bad_config_are_told(tmp_path, model):
    (tmp_path / "data.json").write_text("{}")
    with pytest.raises(DataError, match=r"data\.json: not the record of a data set"):
        load_data(tmp_path / "data.json", model)
    (tmp_path / "x.yaml").write_text("data: {rot: here}")
    with pytest.raises(ConfigError, match="rot"):
        load_data(tmp_path / "x.yaml", model)


@pytest.mark.parametrize(
    ("filled", "named", "split", "log"),
    [
        (("train", "val", "test"), None, "test", []),
        (("train", "val"), None, "val", ["no test images: scored on val"]),
        (("train", "val"), "train", "train", []),
        (("train", "val"), "all", "all", []),
    ],
)
def test_scores_are_of_the_test_images_or_else_of_those_for_validation(data, model, caplog, filled, named, split, log):
    dataset = load_data(data, model)
    dataset = replace(dataset, splits=dict.fromkeys(filled, dataset.samples("all")))
    with caplog.at_level(logging.INFO, "kseg"):
        assert choose_split(dataset, named) == split
    assert caplog.messages == log


@pytest.mark.parametrize(
    ("filled", "named", "message"),
    [
        (("train", "val"), "test", "the split 'test' holds no images; expected one of val, train; use --split val"),
        (("train",), None, "the split 'test' holds no images; expected one of train; use --split train"),
        ((), None, "the split 'test' is empty"),
    ],
)
def test_an_empty_split_names_one_that_is_not(data, model, filled, named, message):
    dataset = load_data(data, model)
    dataset = replace(dataset, splits=dict.fromkeys(filled, dataset.samples("all")))
    with pytest.raises(DataError) as caught:
        choose_split(dataset, named)
    assert message in str(caught.value)
