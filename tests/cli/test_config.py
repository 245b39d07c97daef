"""``kseg config``, and the options that it shares."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from kseg.cli.config import command
from kseg.cli.options import overrides_from
from kseg.config import FlagValue, json_schema, load_config
from kseg.errors import ConfigError, UsageError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pets.yaml").write_text("data: {root: pictures}\ntrain: {epochs: 7}\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def call(*args: str) -> Result:
    return CliRunner().invoke(command, args)


def test_show_prints_every_value_as_a_configuration(folder: Path) -> None:
    done = call("show", "pets.yaml", "--set", "train.lr=1e-4", "--set", "data.values={1: pet, 2: background}")
    assert done.exit_code == 0
    (folder / "again.yaml").write_text(done.stdout)
    overrides = {"train.lr": 1e-4, "data.values": {1: "pet", 2: "background"}}
    assert load_config(folder / "again.yaml") == load_config(folder / "pets.yaml", overrides)
    assert "  epochs: 7\n" in done.stdout
    assert "  schedule: cosine\n" in done.stdout


def test_show_takes_the_root_from_data(folder: Path) -> None:
    (folder / "other").mkdir()
    assert f"  root: {folder / 'other'}\n" in call("show", "pets.yaml", "--data", "other").stdout
    assert f"  root: {folder / 'other'}\n" in call("show", "--data", "other").stdout


def test_show_alone_shows_the_defaults_for_the_current_folder(folder: Path) -> None:
    done = call("show")
    assert done.exit_code == 0
    assert f"  root: {folder}\n" in done.stdout


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--set", "train.lr=abc"), "--set train.lr=abc: wrong value; expected a number > 0 and <= 10; found 'abc'"),
        (("--set", "train.lr"), "--set train.lr: not a setting; expected KEY=VALUE, as train.lr=0.001"),
        (("--set", "train.lrr=1"), "--set train.lrr=1: unknown key; expected one of"),
        (("--set", "data.masks=*.png"), "--set data.masks=*.png: not valid YAML"),
        (("--data", "none"), "--data: data.root: no such folder; expected the folder of the dataset; found"),
        (("--data", "pets.yaml"), "--data: data.root: not a folder"),
    ],
)
def test_show_tells_what_is_wrong_with_a_flag(args: tuple[str, ...], message: str) -> None:
    error = call("show", "pets.yaml", *args).exception
    assert isinstance(error, UsageError)
    assert error.exit_code == 2
    assert str(error).startswith(message)


def test_schema_prints_the_schema() -> None:
    done = call("schema")
    assert done.exit_code == 0
    assert json.loads(done.stdout) == json_schema()


def test_the_later_setting_of_a_key_wins(folder: Path) -> None:
    overrides = overrides_from("pictures", ["train.lr=1", "train.lr=2", "data.split.seed=3"])
    config = load_config(None, overrides)
    assert config.train.lr == 2.0
    assert config.data.root == folder / "pictures"
    assert overrides["train.lr"] == FlagValue(2, "--set train.lr=2")


@pytest.mark.usefixtures("folder")
def test_flags_of_a_command_give_way_to_settings_and_are_named_in_errors() -> None:
    flags = {"train.epochs": 3, "train.batch": None, "train.weight_decay": -1}
    overrides = overrides_from("pictures", ["train.epochs=5"], flags)
    assert "train.batch" not in overrides
    with pytest.raises(ConfigError, match=r"^--weight-decay: train\.weight_decay: wrong value; .*; found -1$"):
        load_config(None, overrides)
    assert overrides["train.epochs"].value == 5
