"""Every path of the command line and of `kseg` takes ``~``, which no shell expands in ``--out=~/x`` or in Python."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

import kseg
from kseg.cli.main import main
from kseg.cli.options import PATH
from kseg.images import read_mask
from tests.cli.conftest import Call
from tests.data.folders import make_pairs
from tests.tiny_run import make_run

CLASSES = ("--classes", "background,x")


def parameters(command: click.Command, name: str = "kseg") -> Iterator[tuple[str, click.Parameter]]:
    for parameter in command.params:
        yield f"{name} {parameter.name}", parameter
    for inner in command.commands.values() if isinstance(command, click.Group) else ():
        yield from parameters(inner, f"{name} {inner.name}")


PARAMETERS = dict(parameters(main))
PATHS = {name for name, parameter in PARAMETERS.items() if isinstance(parameter.type, click.Path)}


def test_all_paths_have_the_one_type() -> None:
    assert len(PATHS) > 20
    assert {name for name in PATHS if PARAMETERS[name].type is not PATH} == set()


@pytest.mark.parametrize("name", [name for name in PARAMETERS if name.split()[-1] in ("out", "json_file", "against")])
def test_files_that_are_written_or_read_are_paths(name: str) -> None:
    assert PARAMETERS[name].type is PATH


def test_an_empty_path_is_an_error(call: Call) -> None:
    code, _, err = call("predict", "m.keras", "photos", "--out", "")
    assert code == 2
    assert "Invalid value for '--out': the path is empty" in err


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home folder, with a data set in ``~/photos``."""
    folder = tmp_path / "home"
    make_pairs(folder / "photos", [f"n{i}" for i in range(10)])
    monkeypatch.setenv("HOME", str(folder))
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("work"), epochs=1)


@pytest.fixture
def run_at_home(run: Path, home: Path) -> Path:
    (home / "m").symlink_to(run)
    return home / "m"


@pytest.mark.parametrize(
    ("args", "file"),
    [
        (("data", "stats", "~/photos", *CLASSES, "--json=~/new/a.json"), "new/a.json"),
        (("data", "stats", "~/photos", *CLASSES, "--out=~/a.png"), "a.png"),
        (("data", "show", "~/photos", *CLASSES, "--out=~/a.png"), "a.png"),
        (("data", "split", "~/photos", *CLASSES, "--out=~/lists"), "lists/train.txt"),
        (("data", "masks", "~/photos", *CLASSES, "--out=~/made"), "made/data.yaml"),
        (("data", "check", "~/photos", *CLASSES, "--fix-config=~/a.yaml"), "a.yaml"),
        (("models", "list", "--encoder=plain", "--json=~/a.json"), "a.json"),
        (("models", "summary", "plain", "--imgsz=64", "--graph=~/a.svg"), "a.svg"),
    ],
)
def test_commands_on_data_and_networks(call: Call, home: Path, args: tuple[str, ...], file: str) -> None:
    code, _, err = call(*args)
    assert code == 0, err
    assert (home / file).is_file()
    assert not Path("~").exists()


def test_config_show(call: Call, home: Path) -> None:
    (home / "a.yaml").write_text("data: {root: photos}\n")
    for args in (("--data=~/photos",), ("~/a.yaml",)):
        code, out, _ = call("config", "show", *args)
        assert code == 0
        assert f"root: {home}/photos" in out


def test_commands_on_a_model(call: Call, home: Path, run_at_home: Path) -> None:
    for args in (
        ("predict", "~/m", "~/photos/images", "--out=~/p1"),
        ("predict", "~/m/weights/best.keras", "~/photos/images/n*.png", "--out=~/p2"),
        ("evaluate", "~/m", "--data=~/m/data.json", "--json=~/s.json"),
        ("export", "~/m", "--data=~/m", "--format=tflite", "--quantize=none", "--out=~/e"),
        ("benchmark", "~/e/model_float32.tflite", "--num-runs=2", "--threads=1", "--json=~/b.json"),
        ("benchmark", "~/e/model_float32.tflite", "--num-runs=2", "--threads=1", "--against=~/b.json"),
        ("models", "summary", "~/m"),
    ):
        code, _, err = call(*args)
        assert code == 0, (args, err)
    assert {path.name for path in home.iterdir()} == {"photos", "m", "p1", "p2", "s.json", "e", "b.json"}
    assert len(list((home / "p2").iterdir())) == len(list((home / "p1").iterdir())) == 10
    assert run_at_home.is_symlink()


def test_python(home: Path, run_at_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    model = kseg.load("~/m")
    result = model("~/photos/images/n0.png")
    assert result.save("~/new/mask.png") == home / "new" / "mask.png"
    assert read_mask(home / "new" / "mask.png").shape == result.mask.shape
    assert kseg.evaluate("~/m", "~/m/data.json").iou == kseg.evaluate(run_at_home).iou
    report = kseg.export("~/m", formats="tflite", quantize="none", out="~/e", data="~/m")
    assert report.out == home / "e"
    assert kseg.benchmark("~/e/model_float32.tflite", threads=1, num_runs=2, warmup=1).rows[0].p50 > 0
    checked = kseg.check("~/photos", classes=["background", "x"], fix_config="~/f.yaml")
    assert checked.data.root == home / "photos"
    assert (home / "f.yaml").is_file()
    assert not Path("~").exists()


def test_a_training_in_python(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (home / "a.yaml").write_text("data: {root: photos, classes: [background, x]}\n")
    settings: dict[str, Any] = {"epochs": 1, "imgsz": 32, "widths": [4, 8], "batch": 2, "project": "~/runs"}
    first = kseg.fit(data="~/photos", classes=["background", "x"], **settings)
    second = kseg.fit("~/a.yaml", **settings)
    assert [run.folder.parent for run in (first, second)] == [home / "runs" / "fit"] * 2
    with pytest.raises(kseg.errors.UsageError, match="the run has ended"):
        kseg.resume(f"~/runs/fit/{first.folder.name}")
