"""Precedence, overrides and paths."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from kseg.config import Config, FlagValue, load_config, to_yaml
from kseg.data.spec import Folders, Fractions, Lists
from kseg.errors import ConfigError

ROOT = "data:\n  root: pictures\n"


def test_defaults_give_way_to_the_file_and_the_file_to_overrides(load: Callable[..., Config]) -> None:
    config = load(f"{ROOT}train: {{epochs: 7, batch: 4}}\n", {"train.batch": 2})
    assert (config.train.lr, config.train.epochs, config.train.batch) == (1e-3, 7, 2)


def test_without_a_file_the_root_is_all_that_is_needed(home: Path) -> None:
    config = load_config(None, {"data.root": "pictures"})
    assert config.data.root == home / "pictures"
    assert config.model.arch == "unet"
    with pytest.raises(
        ConfigError, match=r"^data\.root: the key is missing; .*; pass --data FOLDER, or set data\.root$"
    ):
        load_config(None)


def test_one_number_for_the_size_is_a_square(load: Callable[..., Config]) -> None:
    assert load(f"{ROOT}train: {{imgsz: 64}}").train.imgsz == (64, 64)
    assert load(f"{ROOT}train: {{imgsz: [64, 96]}}").train.imgsz == (64, 96)
    assert load(ROOT, {"train.imgsz": (32, 64)}).train.imgsz == (32, 64)


def test_whole_numbers_are_numbers(load: Callable[..., Config]) -> None:
    lr = load(f"{ROOT}train: {{lr: 1}}").train.lr
    assert (lr, type(lr)) == (1.0, float)


def test_a_mapping_over_a_section_keeps_its_other_keys(load: Callable[..., Config]) -> None:
    config = load(f"{ROOT}train: {{epochs: 7, batch: 4}}\n", {"train": {"batch": 2}})
    assert (config.train.epochs, config.train.batch) == (7, 2)


def test_overrides_reach_into_values(load: Callable[..., Config]) -> None:
    text = f"{ROOT}  values: {{0: background, 1: pet}}\n"
    assert load(text, {"data.values": {1: "pet", 2: "background"}}).data.values == {1: "pet", 2: "background"}
    assert load(text, {"data.values.255": "ignore"}).data.values == {0: "background", 1: "pet", 255: "ignore"}
    assert load(ROOT, {"data.values.1": "a", "data.values.other": "b"}).data.values == {1: "a", "other": "b"}


def test_overrides_reach_into_lists(load: Callable[..., Config], error: Callable[..., str]) -> None:
    text = f"{ROOT}model: {{widths: [8, 16]}}\n"
    assert load(text, {"model.widths.1": 24}).model.widths == [8, 24]
    text_with_list = f"{ROOT}augment: [hflip, {{rotate: 5}}]\n"
    assert load(text_with_list, {"augment.1.rotate": 9}).augment.transforms[1].degrees == 9
    assert error(text, {"model.widths.2": 1}) == "model.widths.2: no such item; expected a number from 0 to 1; found 2"
    assert error(text, {"model.norm.x": 1}).startswith("model.norm: wrong value; expected one of none, batch")
    assert "its parent has no keys" in error(f"{ROOT}model: {{norm: batch}}\n", {"model.norm.x": 1})


def test_overrides_reach_into_the_split(load: Callable[..., Config]) -> None:
    text = f"{ROOT}  split: {{train: 0.5, val: 0.25, test: 0.25, seed: 3}}\n"
    split = load(text, {"data.split.train": 0.6, "data.split.test": 0.15}).data.split
    assert split == Fractions(train=0.6, val=0.25, test=0.15, seed=3)


def test_another_kind_of_split_forgets_the_keys_of_the_first(load: Callable[..., Config]) -> None:
    text = f"{ROOT}  split: {{train: 0.5, val: 0.25, test: 0.25, seed: 3}}\n"
    split = load(text, {"data.split.val": "valid", "data.split.by": "folders"}).data.split
    assert split == Folders(by="folders", train="train", val="valid", test="test")
    folders = f"{ROOT}  split: {{by: folders, train: a}}\n"
    assert load(folders, {"data.split.by": "fractions"}).data.split == Fractions()
    assert load(folders, {"data.split.by": "folders"}).data.split == Folders(by="folders", train="a")


def test_nothing_is_empty_text_where_text_may_be_empty(load: Callable[..., Config]) -> None:
    config = load(f"{ROOT}  mask_suffix:\n  split: {{by: folders, test: }}\n", {"data.split.val": None})
    assert config.data.mask_suffix == ""
    assert config.data.split == Folders(by="folders", val="", test="")


def test_paths_in_the_file_are_relative_to_its_folder(home: Path) -> None:
    (home / "conf" / "a.yaml").write_text(
        "data: {root: ../pictures, split: {by: lists, train: a.txt, val: /b.txt}}\nrun: {project: out}\n"
    )
    config = load_config(Path("conf/a.yaml"))
    assert config.data.root == home / "pictures"
    assert config.run.project == home / "conf" / "out"
    assert config.data.split == Lists(by="lists", train=str(home / "conf" / "a.txt"), val="/b.txt", test="")


def test_paths_of_overrides_and_defaults_are_relative_to_the_current_folder(home: Path) -> None:
    (home / "conf" / "a.yaml").write_text("data: {root: nowhere, split: {by: lists, train: a.txt}}\n")
    config = load_config(Path("conf/a.yaml"), {"data.root": "pictures", "data.split.val": "b.txt"})
    assert config.data.root == home / "pictures"
    assert config.run.project == home / "runs"
    assert config.data.split == Lists(by="lists", train=str(home / "conf" / "a.txt"), val=str(home / "b.txt"), test="")


def test_variables_and_the_home_folder_are_replaced(
    load: Callable[..., Config], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PETS", str(home))
    monkeypatch.setenv("HOME", str(home))
    assert load("data: {root: '${PETS}/pictures'}").data.root == home / "pictures"
    assert load("data: {root: ~/pictures}").data.root == home / "pictures"
    (home / "${PETS}").mkdir()
    assert load("data: {root: '$${PETS}'}").data.root == home / "${PETS}"


def test_an_unset_variable_names_key_and_remedy(
    load: Callable[..., Config], error: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PETS", raising=False)
    text = "data:\n  root: ${PETS}/pictures\n"
    assert error(text) == (
        "pets.yaml:2: data.root: the environment variable is not set; expected a value of PETS; "
        "found '${PETS}/pictures'; export PETS=PATH or pass --data PATH"
    )
    assert load(text, {"data.root": FlagValue("pictures", "--data")}).data.root.name == "pictures"


@pytest.mark.parametrize(
    ("root", "message"),
    [
        ("none", "no such folder; expected the folder of the dataset; found "),
        ("pets.yaml", "not a folder; expected the folder of the dataset; found "),
        ("''", "the path is empty; expected a path"),
        ('"a\\0b"', "the path cannot be used; expected a path; found 'a\\x00b'"),
        ("~nobody-at-all/x", "the path cannot be used; expected a path; found '~nobody-at-all/x'"),
        ("5", "not text; expected a path; found 5"),
        ("[a]", "wrong value; expected a path; found ['a']"),
        (f"'{'x' * 5000}'", "no such folder"),
    ],
)
def test_a_root_that_is_no_folder_is_refused(error: Callable[..., str], root: str, message: str) -> None:
    text = error(f"data:\n  root: {root}\n")
    assert text.startswith(f"pets.yaml:2: data.root: {message}")
    assert len(text) < 500


def test_weights_are_a_name_or_a_file(load: Callable[..., Config], error: Callable[..., str], home: Path) -> None:
    for name in ("imagenet", "resnet_18_imagenet", "hf://timm/resnet34.a1_in1k", "kaggle://keras/vgg/keras/x/1"):
        config = load(f"{ROOT}model: {{weights: '{name}'}}")
        assert config.model.weights == name
        assert f"weights: {name}" in to_yaml(config)
    (home / "w.h5").touch()
    (home / "resnet_x").mkdir()
    assert load(f"{ROOT}model: {{weights: w.h5}}").model.weights == home / "w.h5"
    assert load(f"{ROOT}model: {{weights: ./resnet_x}}").model.weights == home / "resnet_x"
    message = error(f"{ROOT}model:\n  weights: imagnet\n")
    assert message.startswith(
        "pets.yaml:4: model.weights: no such file; expected imagenet, a preset or handle of KerasHub, or a file or "
        "folder of weights; found"
    )
    assert message.endswith("did you mean 'imagenet'?")


def test_a_start_is_a_model_that_is_there(load: Callable[..., Config], error: Callable[..., str], home: Path) -> None:
    (home / "runs").mkdir()
    assert load(f"{ROOT}model: {{start: runs}}").model.start == home / "runs"
    message = "pets.yaml:3: model.start: no such model; expected a .keras file or a run folder of kseg; found"
    assert error(f"{ROOT}model: {{start: gone.keras}}\n").startswith(message)
    both = error(f"{ROOT}model: {{start: runs, weights: imagenet}}\n")
    assert "expected one of model.start and model.weights; found both" in both


def test_labels_are_built_from_classes_values_and_colours(load: Callable[..., Config]) -> None:
    assert load(ROOT).data.label_map() is None
    data = load(f"{ROOT}  classes: [background, pet]\n  values: {{1: pet, other: background}}\n").data
    labels = data.label_map()
    assert labels is not None
    assert labels.names == ("background", "pet")
    assert labels.values == {1: "pet", "other": "background"}
    colors = load(f"{ROOT}  classes: [a, b]\n  colors: ['#000000', '#Ff8000']\n").data.label_map()
    assert colors is not None
    assert colors.colors == ((0, 0, 0), (255, 128, 0))


def test_a_configuration_cannot_be_changed(load: Callable[..., Config]) -> None:
    config = load(ROOT)
    with pytest.raises(ValueError, match="frozen"):
        config.train.epochs = 3  # type: ignore[misc]
