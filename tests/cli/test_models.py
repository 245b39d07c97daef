"""``kseg models`` from the outside: the table, the JSON, the picture, and what they refuse."""

from __future__ import annotations

import json
import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kseg.card import read_card, write_card
from kseg.models import ENCODERS
from tests.cli.conftest import Call
from tests.tiny_run import make_run

FEW = ("--encoder", "mobilenetv2", "--encoder", "resnet18", "--imgsz", "32", "64")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("work"), epochs=0)


def listed(call: Call, *args: object) -> dict[str, Any]:
    code, out, err = call("models", "list", *args, "--json", "-")
    assert (code, err) == (0, "")
    data = json.loads(out)
    assert isinstance(data, dict)
    return data


def cells(text: str) -> list[list[str]]:
    """The lines of a table, at two or more blanks."""
    return [re.split(r"\s{2,}", line.strip()) for line in text.splitlines()]


def test_every_encoder_is_listed_with_every_architecture_around_one(call: Call) -> None:
    data = listed(call, "--imgsz", "32")
    assert {key: data[key] for key in ("kind", "schema", "size", "channels")} == {
        "kind": "kseg-models", "schema": 1, "size": [32, 32], "channels": 1,
    }  # fmt: skip
    actual = [(model["arch"], model["encoder"]) for model in data["models"]]
    others = [("unetplusplus", "mobilenetv2"), ("deeplabv3plus", "mobilenetv2")]
    assert actual == [*(("unet", name) for name in ENCODERS), *others]
    for model in data["models"]:
        assert set(model) == {
            "arch", "artifacts", "encoder", "extra", "installed", "macs", "paper", "parameters", "stride", "weights",
        }  # fmt: skip
        assert model["macs"] > 1e6
    weights = {model["encoder"]: model["weights"] for model in data["models"]}
    assert weights["plain"] == []
    assert weights["resnet34"] == weights["mobilenetv2"] == ["imagenet"]
    assert weights["mit_b0"] == ["mit_b0_ade20k_512", "mit_b0_cityscapes_1024"]
    plain = data["models"][0]
    # A U-Net of 64 to 1024 channels, biases and all
    assert (plain["parameters"], plain["stride"], plain["artifacts"]) == (31_031_745, 16, [])


def test_table_and_file_tell_the_same(call: Call) -> None:
    code, out, err = call("models", "list", *FEW, "--json", "new/models.json")
    assert (code, err) == (0, "")
    assert "One image of 32 × 64, one score channel" in out
    data = json.loads(Path("new/models.json").read_text())
    assert data["size"] == [32, 64]
    rows = {(row[0], row[1]): row[2:] for row in cells(out) if len(row) > 4}
    assert len(rows) - 1 == len(data["models"]) == 4
    assert rows["mobilenetv2", "unet"] == ["6.98 M", "109 M", "imagenet"]
    assert rows["resnet18", "unet"] == ["14.3 M", "150 M", "imagenet", "kseg[hub]"]
    assert [model["parameters"] for model in data["models"][:2]] == [6_977_473, 14_252_865]


def test_without_its_extra_an_encoder_is_a_line_with_the_remedy(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keras_hub", None)
    (_, resnet, *_) = listed(call, *FEW)["models"]
    assert (resnet["extra"], resnet["installed"], resnet["parameters"], resnet["macs"]) == ("hub", False, None, None)
    code, out, _ = call("models", "list", *FEW)
    assert code == 0
    assert ["resnet18", "unet", "–", "–", "imagenet", "pip install 'kseg[hub]'"] in cells(out)


def test_measured_sizes_and_times_are_those_of_real_files(call: Call) -> None:
    args = ("--encoder", "mobilenetv3_small", "--imgsz", "32", "--measure", "--threads", "1", "--json", "m.json")
    code, out, err = call("models", "list", *args)
    assert (code, err) == (0, "")
    data = json.loads(Path("m.json").read_text())
    assert data["environment"]["packages"]["ai-edge-litert"] in out
    (model,) = data["models"]
    float32, int8 = model["artifacts"]
    assert (float32["quantization"], int8["quantization"]) == ("none", "int8")
    # Four bytes a weight, or one, and the graph; normalisations are folded into the convolutions before them
    assert 3.8 * model["parameters"] < float32["bytes"] < 4.2 * model["parameters"]
    assert 0.95 * model["parameters"] < int8["bytes"] < 1.3 * model["parameters"]
    assert all(artifact["milliseconds"] > 0 and artifact["threads"] == 1 for artifact in (float32, int8))
    row = next(row for row in cells(out) if row[0] == "mobilenetv3_small")
    numbers = [f"{value:.1f}" for a in (float32, int8) for value in (a["bytes"] / 1e6, a["milliseconds"])]
    assert row[4:8] == numbers


def test_a_failed_export_is_a_line_and_exit_1(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    from kseg.errors import ArtifactError
    from kseg.exporters import table

    def fail(*_: object) -> None:
        raise ArtifactError("the converter fell over")

    monkeypatch.setattr(table, "EXPORTERS", tuple(replace(row, write=fail) for row in table.EXPORTERS))
    code, out, err = call("models", "list", "--encoder", "mobilenetv3_small", "--imgsz", "32", "--measure")
    assert code == 1
    assert next(row for row in cells(out) if row[0] == "mobilenetv3_small")[4:8] == ["–", "failed", "–", "failed"]
    assert err.strip() == "error: 2 of 2 measurements failed; found the converter fell over"


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (
            ("--encoder", "mobilenetv1"),
            r"model\.encoder: unknown encoder 'mobilenetv1'; .*did you mean 'mobilenetv2'\?",
        ),
        (("--imgsz", "250"), r"train\.imgsz: the size 250×250 does not divide by 16, .*--imgsz 256 256"),
        (("--imgsz", "big"), r"expected H or H W"),
    ],
)
def test_wrong_names_and_sizes_of_the_list_exit_2(call: Call, args: tuple[str, ...], message: str) -> None:
    code, out, err = call("models", "list", *args)
    assert (code, out) == (2, "")
    assert re.search(message, err)


def test_summary_tells_the_parts_and_draws_them(call: Call) -> None:
    code, out, err = call("models", "summary", "mit_b0", "--imgsz", "32", "64", "--graph", "new/mit.svg")
    assert (code, err) == (0, "drawn into new/mit.svg\n")
    assert out.startswith("unet_mit_b0: one image of 32 × 64; 5,792,225 parameters, ")
    rows = {row[0]: row[1:] for row in cells(out)}
    assert rows["encoder 4"][:3] == ["4", "8 × 16 × 32", "164,096"]
    assert rows["decoder0"][-1] == "encoder 32, encoder 16"
    shares = [float(row[5].rstrip("%")) for row in rows.values() if len(row) > 5 and row[5].endswith("%")]
    assert sum(shares) == pytest.approx(100, abs=1)
    assert "<svg" in Path("new/mit.svg").read_text()


@pytest.mark.parametrize("name", ["deeplabv3plus/mobilenetv2", "unetplusplus/mobilenetv2"])
def test_an_architecture_and_an_encoder(call: Call, name: str) -> None:
    code, out, _ = call("models", "summary", name, "--imgsz", "64")
    assert code == 0
    assert out.startswith(f"{name.replace('/', '_')}: one image of 64 × 64; ")


def test_a_configuration_with_its_classes_and_size(call: Call, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(
        "data: {root: ., classes: [sky, road, car]}\nmodel: {widths: [4, 8]}\ntrain: {imgsz: [32, 48]}\n"
    )
    code, out, _ = call("models", "summary", "c.yaml")
    assert code == 0
    assert "one image of 32 × 48" in out
    assert next(row for row in cells(out) if row[0] == "head")[1:3] == ["1", "32 × 48 × 3"]
    assert "one image of 64 × 64" in call("models", "summary", "c.yaml", "--imgsz", "64")[1]


def test_a_run_and_its_file_are_the_same_network(call: Call, run: Path, tmp_path: Path) -> None:
    shutil.copy(run / "weights" / "best.keras", tmp_path / "mine.keras")
    code, out, err = call("models", "summary", run)
    assert (code, err) == (0, "")
    assert "unet_plain: one image of 48 × 64; " in out
    assert call("models", "summary", "mine.keras") == (0, out, "")


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (("mobilnetv2",), 2, r"unknown encoder, file or folder 'mobilnetv2'; .*did you mean 'mobilenetv2'\?"),
        (("unett/mit_b0",), 2, r"unknown architecture or folder 'unett'; .*did you mean 'unet'\?"),
        (("unetplusplus",), 2, "an architecture needs an encoder; for example unetplusplus/mobilenetv2"),
        (("mit_b0", "--imgsz", "100"), 2, "the size 100×100 does not divide by 32"),
        (("mit_b0", "--graph", "x.pdf"), 2, r"x\.pdf: not a kind of picture that kseg draws; expected \.png or \.svg"),
        (("mit_b0", "--graph", "file/x.png"), 1, "file: the output folder cannot be written"),
        (("none.keras",), 1, r"none\.keras: no such model"),
        (("runs/fit/none",), 1, "runs/fit/none: no such model"),
        (("none.yaml",), 2, r"none\.yaml"),
        (("m.tflite",), 1, "only a Keras model can be looked into"),
    ],
)
def test_what_summary_refuses(call: Call, tmp_path: Path, args: tuple[str, ...], code: int, message: str) -> None:
    for name in ("file", "m.tflite"):
        (tmp_path / name).touch()
    actual, out, err = call("models", "summary", *args)
    assert (actual, out) == (code, "")
    assert re.search(message, err)
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    ("network", "message"),
    [
        ({}, "mine.keras: the model's card does not say how the network is built; name .*args.yaml"),
        ({"size": [48, 64]}, "mine.keras: the structure of the network cannot be read; found .*channels"),
        ({"size": [48, 64], "channels": 1, "arch": "unet4"}, "cannot be read; found model.arch: unknown architecture"),
    ],
)
def test_a_card_without_a_network_is_one_line(
    network: dict[str, Any], message: str, call: Call, run: Path, tmp_path: Path
) -> None:
    card = replace(read_card(run / "weights" / "best.keras"), network=network)
    (tmp_path / "mine.keras").touch()
    write_card(tmp_path / "mine.keras", card)
    code, out, err = call("models", "summary", "mine.keras")
    assert (code, out) == (1, "")
    assert re.search(message, err)
    assert len(err.splitlines()) == 1


def test_a_trained_model_keeps_its_size(call: Call, run: Path) -> None:
    code, _, err = call("models", "summary", run, "--imgsz", "64")
    assert code == 2
    assert err == "error: --imgsz: a trained model has a size of its own; leave --imgsz out\n"


def test_summary_of_an_encoder_without_its_extra_is_one_line(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keras_hub", None)
    code, out, err = call("models", "summary", "resnet50")
    assert (code, out) == (2, "")
    assert "pip install 'kseg[hub]'" in err
    assert len(err.splitlines()) == 1
