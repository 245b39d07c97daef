"""A command replaces only a file that it wrote itself for the same input, and says so before it does any work."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from kseg.cli.main import main
from tests.cli.conftest import Call
from tests.cli.test_paths import parameters
from tests.data.folders import make_pairs
from tests.evaluation.data import write_data
from tests.inference.conftest import models

__all__ = ["models"]

CLASSES = ("--classes", "background,x")

DATA_COMMANDS = {
    "kseg data stats json_file": ("data", "stats", "DATA", *CLASSES, "--json", "out.json"),
    "kseg data stats out": ("data", "stats", "DATA", *CLASSES, "--out", "out.png"),
    "kseg data show out": ("data", "show", "DATA", *CLASSES, "--out", "out.jpg"),
    "kseg models list json_file": ("models", "list", "--encoder", "plain", "--json", "out.json"),
    "kseg models summary graph": ("models", "summary", "DATA", "--imgsz", "64", "--graph", "out.svg"),
}
MODEL_COMMANDS = {
    "kseg evaluate json_file": ("evaluate", "MODEL", "--data", "DATA", "--split", "all", "--json", "out.json"),
    "kseg benchmark json_file": ("benchmark", "MODEL", "--num-runs", "2", "--threads", "1", "--json", "out.json"),
}
OWN_TESTS = {
    "kseg predict out": "tests/inference/test_files.py",
    "kseg export out": "tests/exporters/test_stage.py",
    "kseg data masks out": "below",
    "kseg data split out": "tests/cli/data/test_split.py: an existing list is refused without --overwrite",
    "kseg data check fix_config": "below",
    "kseg data check preview": "below",
    "kseg demo out": "numbered where it exists",
}
"""What is written by the other commands, and where it is tested."""


def test_every_option_that_names_an_output_is_tested() -> None:
    written = {"out", "json_file", "graph", "fix_config", "preview"}
    options = {name for name, parameter in parameters(main) if isinstance(parameter, click.Option)}
    outputs = {name for name in options if name.split()[-1] in written}
    assert outputs == DATA_COMMANDS.keys() | MODEL_COMMANDS.keys() | OWN_TESTS.keys()


def file_of(args: tuple[str, ...]) -> Path:
    return next(Path(arg) for arg in args if arg.startswith("out."))


def fill(args: tuple[str, ...], **values: object) -> list[object]:
    return [values.get(arg, arg) for arg in args]


def require_refused(call: Call, args: list[object], file: Path, message: str) -> None:
    before = file.read_bytes()
    code, out, err = call(*args)
    assert (code, out) == (1, "")
    assert err.splitlines()[-1].startswith(f"error: {file}: {message}")
    assert file.read_bytes() == before


NOT_OWN = "a file is never replaced unless the same command wrote it; expected one that kseg"


@pytest.mark.parametrize("args", DATA_COMMANDS.values(), ids=DATA_COMMANDS)
def test_files_made_from_data_or_networks(call: Call, tmp_path: Path, args: tuple[str, ...]) -> None:
    first, second = (str(make_pairs(tmp_path / name, [f"n{i}" for i in range(10)])) for name in ("day1", "day2"))
    if "summary" in args:
        first, second = "plain", "unetplusplus/plain"
    file = file_of(args)
    file.write_bytes((tmp_path / "day1" / "images" / "n0.png").read_bytes())
    require_refused(call, fill(args, DATA=first), file, NOT_OWN)
    file.unlink()
    for _ in range(2):
        code, _, err = call(*fill(args, DATA=first))
        assert code == 0, err
    if "summary" in args:
        require_refused(call, fill(args, DATA=second), file, NOT_OWN)
    elif "list" not in args:
        expected = "the file was made from another input; expected day2; found day1; choose another --"
        require_refused(call, fill(args, DATA=second), file, expected)


@pytest.mark.parametrize("args", MODEL_COMMANDS.values(), ids=MODEL_COMMANDS)
def test_files_made_from_models(call: Call, models: Path, tmp_path: Path, args: tuple[str, ...]) -> None:
    data = write_data(tmp_path / "data")
    model, other = models / "red.tflite", models / "red_int8.tflite"
    file = file_of(args)
    file.write_text("{}")
    require_refused(call, fill(args, MODEL=model, DATA=data), file, NOT_OWN)
    file.unlink()
    for _ in range(2):
        code, _, err = call(*fill(args, MODEL=model, DATA=data))
        assert code == 0, err
    require_refused(call, fill(args, MODEL=other, DATA=data), file, "the file was made from another input")


def test_scores_on_other_data_are_not_replaced(call: Call, models: Path, tmp_path: Path) -> None:
    args = MODEL_COMMANDS["kseg evaluate json_file"]
    for name in ("day1", "day2"):
        write_data(tmp_path / name)
    assert call(*fill(args, MODEL=models / "red.tflite", DATA="day1"))[0] == 0
    require_refused(
        call, fill(args, MODEL=models / "red.tflite", DATA="day2"), Path("out.json"),
        f"the file was made from another input; expected {models}/red.tflite, day2; found {models}/red.tflite, day1; "
        "choose another --json, or remove this file",
    )  # fmt: skip


def test_another_command_s_file_is_not_replaced(call: Call, models: Path, tmp_path: Path) -> None:
    data = write_data(tmp_path / "data")
    assert call(*fill(MODEL_COMMANDS["kseg benchmark json_file"], MODEL=models / "red.tflite"))[0] == 0
    args = fill(MODEL_COMMANDS["kseg evaluate json_file"], MODEL=models / "red.tflite", DATA=data)
    expected = "a file is never replaced unless the same command wrote it; expected one that kseg evaluate "
    expected += "--split all wrote; found one that kseg benchmark wrote; choose another"
    require_refused(call, args, Path("out.json"), expected)


def test_scores_of_another_split_are_not_replaced(call: Call, models: Path, tmp_path: Path) -> None:
    data = write_data(tmp_path / "data")
    args = fill(MODEL_COMMANDS["kseg evaluate json_file"], MODEL=models / "red.tflite", DATA=data)
    assert call(*args)[0] == call(*args)[0] == 0
    other = ["train" if arg == "all" else arg for arg in args]
    expected = "a file is never replaced unless the same command wrote it; expected one that kseg evaluate "
    require_refused(call, other, Path("out.json"), expected + "--split train wrote; found one that kseg evaluate")


@pytest.mark.parametrize(("option", "name"), [("--fix-config", "a.yaml"), ("--preview", "a.png")])
def test_a_check_replaces_nothing(call: Call, tmp_path: Path, option: str, name: str) -> None:
    root = make_pairs(tmp_path / "day1", ["a", "b", "c"])
    Path(name).write_bytes((root / "images" / "a.png").read_bytes())
    require_refused(call, ["data", "check", root, *CLASSES, option, name], Path(name), "the file exists already")


MASKS = ("data", "masks", "DATA", *CLASSES, "--out", "made")


def test_masks_of_other_data_are_not_replaced(call: Call, tmp_path: Path) -> None:
    for name in ("day1", "day2"):
        make_pairs(tmp_path / name, ["a", "b", "c"])
    for written in (3, 0):
        code, out, _ = call(*fill(MASKS, DATA="day1"))
        assert (code, out.split()[0]) == (0, str(written))
    expected = "the file was made from another input; expected day2; found day1; choose another --out"
    require_refused(call, fill(MASKS, DATA="day2"), Path("made/data.yaml"), expected)


@pytest.mark.parametrize("name", ["masks/a.png", "manifest.csv"])
def test_masks_that_kseg_did_not_write_are_not_replaced(call: Call, tmp_path: Path, name: str) -> None:
    make_pairs(tmp_path / "day1", ["a", "b", "c"])
    path = tmp_path / "made" / name
    path.parent.mkdir(parents=True)
    path.write_bytes((tmp_path / "day1" / "masks" / "a.png").read_bytes())
    code, out, err = call(*fill(MASKS, DATA="day1"))
    assert (code, out) == (1, "")
    assert err.splitlines()[-1] == (
        "error: made: files would be overwritten that kseg data masks did not write; "
        f"found made/{name}; choose another --out"
    )
    assert path.read_bytes() == (tmp_path / "day1" / "masks" / "a.png").read_bytes()


def test_a_configuration_of_one_s_own_is_not_replaced_by_that_of_the_masks(call: Call, tmp_path: Path) -> None:
    make_pairs(tmp_path / "day1", ["a", "b", "c"])
    Path("data.yaml").write_text("data: {root: day1, classes: [background, x]}\n")
    require_refused(call, ["data", "masks", "data.yaml", "--out", "."], Path("data.yaml"), NOT_OWN)


def test_masks_of_a_call_that_was_stopped_are_completed(call: Call, tmp_path: Path) -> None:
    make_pairs(tmp_path / "day1", ["a", "b", "c"])
    assert call(*fill(MASKS, DATA="day1"))[0] == 0
    for name in ("data.yaml", "manifest.csv", "masks/c.png"):
        (tmp_path / "made" / name).unlink()
    code, out, _ = call(*fill(MASKS, DATA="day1"))
    assert (code, out.splitlines()[0]) == (0, "1 masks written, 2 were up to date: made/masks")
