"""``kseg fit`` as a user meets it: every bad input ends in one line and its exit code, before anything is written."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kseg.images import write_png
from tests.cli.conftest import Call
from tests.data.folders import make_pairs

NAMES = [f"p{i:02}" for i in range(12)]
FLAGS = ("--imgsz", "16", "--epochs", "1", "--batch", "2", "--set", "model.widths=[4]")


def remove_images(root: Path) -> None:
    for path in (root / "images").iterdir():
        path.unlink()


def lose_a_mask(root: Path) -> None:
    (root / "masks" / "p03.png").unlink()


def lose_an_image(root: Path) -> None:
    (root / "images" / "p04.png").unlink()


def shrink_a_mask(root: Path) -> None:
    write_png(root / "masks" / "p01.png", np.zeros((5, 6), np.uint8))


def add_a_value(root: Path) -> None:
    write_png(root / "masks" / "p02.png", np.full((12, 16), 255, np.uint8))


def cut_a_jpeg(root: Path) -> None:
    path = root / "images" / "p05.jpg"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (12, 16, 3), np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:-60])
    (root / "images" / "p05.png").unlink()


def write_prose(root: Path) -> None:
    (root / "images" / "p06.png").unlink()
    (root / "images" / "p06.jpg").write_text("not a picture")


def widen_to_16_bit(root: Path) -> None:
    Image.fromarray(np.full((12, 16), 40000, np.uint16)).save(root / "images" / "p07.png")


def make_transparent(root: Path) -> None:
    Image.fromarray(np.full((12, 16, 4), 100, np.uint8)).save(root / "images" / "p08.png")


def keep_one(root: Path) -> None:
    for name in NAMES[1:]:
        (root / "images" / f"{name}.png").unlink()
        (root / "masks" / f"{name}.png").unlink()


def blank_all_masks(root: Path) -> None:
    for name in NAMES:
        write_png(root / "masks" / f"{name}.png", np.zeros((12, 16), np.uint8))


def change_nothing(root: Path) -> None:
    assert root.is_dir()


@pytest.mark.parametrize(
    ("spoil", "flags", "code", "parts"),
    [
        (remove_images, (), 1, ["no layout of a data set is recognised", "masks (12)"]),
        (lose_a_mask, (), 1, ["1 of 12 images have no mask", "p03"]),
        (lose_an_image, (), 1, ["1 of 12 masks have no image", "p04"]),
        (shrink_a_mask, (), 1, ["p01", "5×6", "12×16"]),
        (
            add_a_value,
            (),
            1,
            ["do 1 and 255 mean the same class?", "set data.values: {0: background, 1: thing, 255: ignore}"],
        ),
        (cut_a_jpeg, (), 1, ["p05.jpg", "truncated"]),
        (write_prose, (), 1, ["p06.jpg", "not an image"]),
        (widen_to_16_bit, (), 1, ["p07.png", "16"]),
        (make_transparent, (), 1, ["p08.png", "transparen"]),
        (keep_one, (), 1, ["there is only one image"]),
        (blank_all_masks, (), 1, ["thing", "train"]),
        (change_nothing, ("--set", "data.split={train: 0.9, val: 0.0, test: 0.1}"), 1, ["val"]),
        (change_nothing, ("--batch", "99"), 2, ["train.batch", "larger than the training data", "found 99"]),
        (change_nothing, ("--imgsz", "17", "16"), 2, ["17×16 does not divide by 2", "--imgsz 18 16"]),
        (change_nothing, ("--imgsz", "wide"), 2, ["expected H or H W"]),
        (change_nothing, ("--epochs", "0"), 2, ["--epochs: train.epochs", "found 0"]),
        (change_nothing, ("--encoder", "plian"), 2, ["did you mean 'plain'"]),
        (change_nothing, ("--set", "train.epohcs=3"), 2, ["did you mean 'epochs'"]),
        (change_nothing, ("--set", "data.images=pictures"), 2, ["pictures", "data.images"]),
        (change_nothing, ("--data", "nowhere"), 2, ["--data: data.root: no such folder", "nowhere"]),
    ],
)
def test_bad_input_is_one_line(
    call: Call, tmp_path: Path, spoil: Callable[[Path], None], flags: tuple[str, ...], code: int, parts: list[str]
) -> None:
    root = make_pairs(tmp_path / "data", NAMES)
    spoil(root)
    actual, out, err = call("fit", "--data", root, *FLAGS, "--set", "data.classes=[background, thing]", *flags)
    assert (actual, out) == (code, "")
    message = err.strip().splitlines()[-1]
    assert message.lower().startswith("error: ")
    assert [part for part in parts if part.lower() not in message.lower()] == []
    assert not (tmp_path / "runs").exists(), "a training that cannot begin leaves no folder"


def test_bad_data_are_told_before_tensorflow_is_loaded(tmp_path: Path) -> None:
    root = make_pairs(tmp_path / "data", NAMES)
    lose_a_mask(root)
    probe = (
        "import sys; from kseg.cli.main import run\n"
        f"try: run(['fit', '--data', {str(root)!r}])\n"
        "except SystemExit as stop: sys.exit(9 if {'tensorflow', 'keras'} & set(sys.modules) else stop.code)"
    )
    assert subprocess.run([sys.executable, "-c", probe], capture_output=True, check=False).returncode == 1


def test_flags_go_before_the_file_and_the_file_before_the_defaults(call: Call, tmp_path: Path) -> None:
    root = make_pairs(tmp_path / "data", NAMES)
    config = tmp_path / "a.yaml"
    config.write_text(f"data: {{root: {root}, classes: [background, thing]}}\ntrain: {{batch: 77}}\n")
    assert "found 77" in call("fit", config)[2]
    assert "found 88" in call("fit", config, "--batch", "88")[2]
    assert "found 99" in call("fit", config, "--batch", "88", "--set", "train.batch=99")[2]


def test_a_training_from_flags_alone(call: Call, tmp_path: Path) -> None:
    """Nothing but a folder: the classes are told from the masks."""
    root = make_pairs(tmp_path / "data", NAMES, values=(0, 255))
    code, out, err = call("fit", "--data", root, *FLAGS)
    assert code == 0
    assert f"everything is in {tmp_path / 'runs' / 'fit' / 'data'}" in out
    assert "next: kseg evaluate " in out
    assert "foreground" in err, "what was inferred is said"
    assert "epoch   1/1  loss " in err
    assert "images/s" in err
    code, out, _ = call("evaluate", "runs/fit/data")
    assert code == 0
    assert " IoU " in out
    assert "calibration error" in out


def test_the_help_names_every_encoder_and_architecture(call: Call) -> None:
    from kseg.models.tables import ARCHITECTURES, ENCODERS

    code, out, _ = call("fit", "--help")
    assert code == 0
    said = " ".join(out.split())
    assert f"Encoder: {', '.join(ENCODERS)} [default: plain]." in said
    assert f"Architecture: {', '.join(ARCHITECTURES)} [default: unet]." in said


@pytest.mark.parametrize(
    ("others", "named"),
    [
        (("pets.yaml",), "CONFIG"),
        (("--data", "d", "--epochs", "3"), "--data, --epochs"),
        (("--set", "train.lr=1"), "--set"),
        (("--imgsz", "32", "48"), "--imgsz"),
    ],
)
def test_resume_takes_no_other_option(call: Call, others: tuple[str, ...], named: str) -> None:
    code, _, err = call("fit", *others, "--resume", "run")
    assert code == 2
    assert (
        err.strip()
        .splitlines()[-1]
        .endswith(f"found {named}; leave them out, or train on in a new run: --set model.start=RUN")
    )
    assert "--resume: a run is resumed with its own settings" in err


def test_resume_without_a_run_is_one_line(call: Call, tmp_path: Path) -> None:
    code, _, err = call("fit", "--resume", tmp_path)
    assert (code, err.count("\n")) == (2, 1)
    assert "no run folder; expected a folder that kseg fit made" in err
