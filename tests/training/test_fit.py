"""What a training leaves behind, and what it does when things go wrong."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import yaml
from PIL import Image

from kseg.card import read_card
from kseg.config import load_config
from kseg.data.dataset import Dataset
from kseg.errors import ConfigError, DataError, Interrupted, OutputError, TrainingError, UsageError
from kseg.files import write_text
from kseg.models import load_model
from kseg.processor import is_x86
from kseg.training import Run, fit
from kseg.training.device import Device, choose_device, choose_precision
from tests.limits import files_up_to

from .conftest import Listener, config_for, draw_discs

Trained = tuple[Run, Listener]


class TestRunFolder:
    def test_everything_is_there(self, trained: Trained) -> None:
        folder = trained[0].folder
        assert folder.parts[-2:] == ("fit", "first")
        assert sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()) == [
            "args.yaml", "data.json", "env.json", "labels.png", "results.csv", "results.png",
            "train_batch.jpg", "val_pred.jpg", "weights/best.keras", "weights/last.keras",
        ]  # fmt: skip

    def test_it_learnt(self, trained: Trained) -> None:
        result, _ = trained
        assert result.best["val_iou"] > 0.8
        assert result.rows[-1]["loss"] < 0.3 * result.rows[0]["loss"]

    def test_args_hold_the_settings(self, trained: Trained) -> None:
        args = yaml.safe_load((trained[0].folder / "args.yaml").read_text())
        assert (args["train"]["epochs"], args["train"]["imgsz"], args["model"]["widths"]) == (8, [32, 32], [4, 8])

    def test_data_json_is_the_split(self, trained: Trained, discs: Path) -> None:
        dataset = Dataset.load(trained[0].folder / "data.json")
        assert len(dataset.samples("all")) == 24
        assert dataset.root == discs
        assert (
            dataset.fingerprint() == read_card(trained[0].folder / "weights/best.keras").provenance["data_fingerprint"]
        )

    def test_env_says_where_it_ran(self, trained: Trained) -> None:
        env = json.loads((trained[0].folder / "env.json").read_text())
        assert env["precision"] == "float32"
        assert env["packages"]["keras"] == keras.__version__
        assert env["cores"] >= 1

    def test_results_are_the_rows(self, trained: Trained) -> None:
        result, listener = trained
        rows = list(csv.DictReader((result.folder / "results.csv").read_text().splitlines()))
        assert [float(row["epoch"]) for row in rows] == list(range(1, len(result.rows) + 1))
        assert float(rows[-1]["val_iou"]) == pytest.approx(result.rows[-1]["val_iou"], rel=1e-4)
        assert listener.rows == list(result.rows)

    def test_the_reporter_hears_each_step(self, trained: Trained) -> None:
        heard = trained[1].heard
        assert heard[0] == "started"
        assert heard[1] == "1:1/5"
        assert heard[-1] == "finished"

    def test_best_is_the_best_epoch_and_last_the_last(self, trained: Trained) -> None:
        result, _ = trained
        best, last = (read_card(result.folder / "weights" / f"{name}.keras").provenance for name in ("best", "last"))
        scores = [row["val_iou"] for row in result.rows]
        assert best["epoch"] == result.best_epoch == int(np.argmax(scores)) + 1
        assert last["epoch"] == len(scores)
        assert best["scores"]["val_iou"] == pytest.approx(max(scores), abs=1e-5)

    def test_the_saved_network_scores_what_training_said(self, trained: Trained) -> None:
        """The file ends in the activation, in float32, and has the weights of that very epoch."""
        result, _ = trained
        model, card = load_model(result.folder / "weights" / "best.keras")
        dataset = Dataset.load(result.folder / "data.json")
        hit = either = 0
        for sample in dataset.samples("val"):
            image = np.asarray(Image.open(sample.image).convert("RGB"), np.float32)
            assert sample.mask
            truth = np.asarray(Image.open(sample.mask)) > 0
            found = card.class_ids(np.asarray(model(image[None])))[0] == 1
            hit, either = hit + (found & truth).sum(), either + (found | truth).sum()
        assert hit / either == pytest.approx(result.best["val_iou"], abs=1e-4)

    @pytest.mark.parametrize("name", ["labels.png", "results.png", "train_batch.jpg", "val_pred.jpg"])
    def test_pictures_show_something(self, trained: Trained, name: str) -> None:
        """What they show is for test_pictures.py and test_statistics.py; those of images have the disc's colour."""
        picture = np.asarray(Image.open(trained[0].folder / name).convert("RGB"))
        assert min(picture.shape[:2]) >= 150
        assert picture.std() > 20
        color = Dataset.load(trained[0].folder / "data.json").labels.colors[1]
        outlined = (np.abs(picture.astype(int) - color).max(axis=2) < 40).sum()
        assert (outlined > 300) == name.endswith(".jpg")

    def test_a_second_run_takes_a_new_folder(self, trained: Trained, discs: Path) -> None:
        project = trained[0].folder.parents[1]
        again = fit(config_for(discs, project, train__epochs=1, run__name="first"))
        assert again.folder.name == "first2"


def test_the_same_seed_gives_the_same_training(discs: Path, tmp_path: Path) -> None:
    losses = [fit(config_for(discs, tmp_path / str(i), train__epochs=1)).rows[0]["loss"] for i in range(2)]
    other = fit(config_for(discs, tmp_path / "x", train__epochs=1, train__seed=1)).rows[0]["loss"]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    assert other != pytest.approx(losses[0], rel=1e-4)


def test_args_train_the_same_again(discs: Path, tmp_path: Path) -> None:
    """Every number comes out once more, though hardly a setting is the default."""
    settings: dict[str, Any] = {
        "augment": "medium", "train__seed": 3, "train__loss": "bce + 2 * dice", "train__batch": 5, "train__average": 2,
        "train__class_weights": {"disc": 3}, "train__schedule": "one_cycle", "model__norm": "batch",
        "data__split": {"by": "fractions", "train": 0.6, "val": 0.2, "test": 0.2, "seed": 7},
    }  # fmt: skip
    first = fit(config_for(discs, tmp_path / "first", **settings))
    again = fit(load_config(first.folder / "args.yaml", {"run.project": str(tmp_path / "again")}))
    assert again.folder.parents[1] == tmp_path / "again"
    for row, expected in zip(again.rows, first.rows, strict=True):
        timeless = row.keys() - {"seconds", "images_per_s"}
        assert {key: row[key] for key in timeless} == pytest.approx({key: expected[key] for key in timeless}, rel=1e-3)
    networks = [load_model(run.folder / "weights" / "last.keras")[0] for run in (first, again)]
    for weights, expected in zip(*(network.get_weights() for network in networks), strict=True):
        np.testing.assert_allclose(weights, expected, rtol=1e-3, atol=1e-5)


def test_every_cache_trains_the_same(discs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KSEG_CACHE", str(tmp_path / "cache"))
    ram, *others = (
        fit(config_for(discs, tmp_path / cache, train__epochs=1, train__cache=cache)).rows[0]
        for cache in ("ram", "disk", "none")
    )
    assert list((tmp_path / "cache").rglob("*"))
    for row in others:
        assert row["loss"] == pytest.approx(ram["loss"], rel=1e-3)
        assert row["val_iou"] == pytest.approx(ram["val_iou"], abs=2e-3)


@pytest.mark.parametrize(("preset", "varied"), [("none", False), ("heavy", True)])
def test_a_preset_varies_what_is_trained_on_and_not_what_is_validated(
    discs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, preset: str, varied: bool
) -> None:
    """Looked at where Keras takes the batches."""
    batches: dict[str, tuple[np.ndarray, np.ndarray]] = {}

    def look(_: keras.Model, train: tf.data.Dataset, *, validation_data: tf.data.Dataset, **__: Any) -> None:
        for split, dataset in (("train", train), ("val", validation_data)):
            images, masks = next(iter(dataset))
            batches[split] = np.asarray(images), np.asarray(masks)
        raise KeyboardInterrupt

    monkeypatch.setattr(keras.Model, "fit", look)
    with pytest.raises(Interrupted):
        fit(config_for(discs, tmp_path, augment=preset, train__batch=16))
    dataset = Dataset.load(next(tmp_path.rglob("data.json")))
    for split, (images, masks) in batches.items():
        samples = dataset.samples(split)  # type: ignore[arg-type]
        stored_images = {np.asarray(Image.open(sample.image)).tobytes() for sample in samples}
        stored_masks = {(np.asarray(Image.open(str(sample.mask))) > 0).tobytes() for sample in samples}
        same_images = [image.astype(np.uint8).tobytes() in stored_images for image in images]
        same_masks = [(mask == 1).tobytes() in stored_masks for mask in masks]
        assert len(same_images) > 0
        if split == "train" and varied:
            assert not any(same_images)
            assert sum(same_masks) < len(same_masks) / 4
        else:
            assert all(same_images)
            assert all(same_masks)


def test_what_is_trained_is_the_accelerated_network(
    discs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[keras.Model] = []

    def look(model: keras.Model, *_: Any, **__: Any) -> None:
        trained.append(model)
        raise KeyboardInterrupt

    monkeypatch.setattr(keras.Model, "fit", look)
    with pytest.raises(Interrupted):
        fit(config_for(discs, tmp_path, model__norm="batch"))
    norms = [layer for layer in trained[0].layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert len(norms) == 10
    assert not any(type(layer) is keras.layers.BatchNormalization for layer in norms)


def test_patience_ends_a_training_that_gains_nothing(discs: Path, tmp_path: Path) -> None:
    config = config_for(discs, tmp_path, train__lr=1e-9, train__epochs=30, train__patience=2)
    result = fit(config)
    assert result.stopped_early
    assert len(result.rows) < 10


def test_of_losses_the_lowest_is_the_best(discs: Path, tmp_path: Path) -> None:
    result = fit(config_for(discs, tmp_path, train__monitor="val_loss", train__epochs=5, train__patience=2))
    losses = [row["val_loss"] for row in result.rows]
    assert len(losses) == 5, "patience waits as long as the loss falls"
    assert losses[0] > 1.5 * min(losses)
    assert result.best_epoch == int(np.argmin(losses)) + 1
    assert read_card(result.folder / "weights" / "best.keras").provenance["epoch"] == result.best_epoch


def paint_in_two_colours(data: Path) -> None:
    """Every second disc becomes blue, another class, and most pixels of the masks' discs, at random, are to be ignored.

    Taken for the ground, they would outvote those that tell the class.
    """
    rng = np.random.default_rng(0)
    for number, path in enumerate(sorted((data / "masks").iterdir())):
        mask = np.asarray(Image.open(path)) // 255 * (1 + number % 2)
        if number % 2:
            picture = np.asarray(Image.open(data / "images" / path.name))
            Image.fromarray(np.where(mask[..., None] > 0, picture * [0, 0, 1], picture).astype(np.uint8)).save(
                data / "images" / path.name
            )
        mask[(mask > 0) & (rng.uniform(size=mask.shape) < 0.7)] = 9
        Image.fromarray(mask).save(path)


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_several_classes_with_ignored_pixels(tmp_path: Path, activation: str) -> None:
    data = draw_discs(tmp_path / "data", 30)
    paint_in_two_colours(data)
    settings: dict[str, Any] = {
        "data__classes": ["ground", "red", "blue"], "data__values": {0: "ground", 1: "red", 2: "blue", 9: "ignore"},
        "data__split": {"by": "fractions", "train": 0.8, "val": 0.2, "test": 0.0}, "model__norm": "batch",
        "model__activation": activation, "train__loss": "cross_entropy + dice", "train__epochs": 16,
        "train__monitor": "val_mean_iou",
    }  # fmt: skip
    result = fit(config_for(data, tmp_path, **settings))
    card = read_card(result.folder / "weights" / "best.keras")
    assert (card.activation, card.channels) == (activation, 3)
    samples = Dataset.load(result.folder / "data.json").samples("val")
    truth = np.concatenate([np.asarray(Image.open(str(sample.mask))) for sample in samples])
    assert set(np.unique(truth)) == {0, 1, 2, 9}
    ground_only = (truth == 0).sum() / (truth != 9).sum() / 3  # the mean IoU of a network that finds nothing
    assert result.best["val_mean_iou"] > 0.7 > 2 * ground_only


class TestMistakes:
    def test_a_batch_larger_than_the_data(self, discs: Path, tmp_path: Path) -> None:
        with pytest.raises(
            ConfigError, match=r"train\.batch: the batch is larger than the training data; expected at most"
        ):
            fit(config_for(discs, tmp_path, train__batch=64))
        assert not (tmp_path / "fit").exists(), "a training that cannot begin leaves no folder"

    def test_a_size_that_does_not_divide(self, discs: Path, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match=r"does not divide by 4.*the nearest size that works: --imgsz 32 36"):
            fit(config_for(discs, tmp_path, train__imgsz=[33, 35]))

    def test_an_unknown_loss(self, discs: Path, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match=r"train\.loss: unknown loss 'dise'.*did you mean 'dice'"):
            fit(config_for(discs, tmp_path, train__loss="dise"))

    def test_a_quarter_turn_of_a_picture_that_is_not_square(self, discs: Path, tmp_path: Path) -> None:
        with pytest.raises(
            ConfigError, match=r"augment\.1\.rot90: a quarter turn changes the shape .*use vflip and hflip"
        ):
            fit(config_for(discs, tmp_path, train__imgsz=[32, 64], augment=["hflip", "rot90"]))

    def test_albumentations_that_is_not_installed(
        self, discs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "albumentations", None)
        (tmp_path / "a.yaml").touch()
        with pytest.raises(ConfigError, match=r"augment\.albumentations: albumentations is not installed; pip install"):
            fit(config_for(discs, tmp_path, augment={"albumentations": str(tmp_path / "a.yaml")}))
        assert not (tmp_path / "fit").exists()

    def test_no_gpu(self, discs: Path, tmp_path: Path) -> None:
        if choose_device("auto").kind == "gpu":
            pytest.skip("there is a GPU")
        with pytest.raises(UsageError, match=r"train\.device: no GPU is visible to TensorFlow"):
            fit(config_for(discs, tmp_path, train__device="gpu"))

    def test_an_empty_validation(self, discs: Path, tmp_path: Path) -> None:
        split = {"by": "fractions", "train": 1.0, "val": 0.0, "test": 0.0}
        with pytest.raises(DataError, match="val"):
            fit(config_for(discs, tmp_path, data__split=split))

    def test_a_project_that_cannot_be_written(self, discs: Path, tmp_path: Path) -> None:
        write_text(tmp_path / "file", "")
        with pytest.raises(OutputError, match="the output folder cannot be written; found Not a directory"):
            fit(config_for(discs, tmp_path / "file"))


def test_a_nan_loss_names_the_batch_and_keeps_the_last_good_weights(
    discs: Path, tmp_path: Path, networks: list[keras.Model]
) -> None:
    """Epoch 1 is sound; in epoch 2 the weights are poisoned before the second step."""
    config = config_for(discs, tmp_path)

    class Poison(Listener):
        def step(self, epoch: int, step: int, steps: int, images_per_s: float, loss: float) -> None:
            if (epoch, step) == (2, 1):
                # The last layer's: a ReLU after the first would turn NaN into 0.
                networks[0].trainable_weights[-1].assign([np.nan])

    with pytest.raises(TrainingError) as caught:
        fit(config, reporter=Poison())
    message = str(caught.value)
    assert "train.loss: the loss became nan at epoch step 2 (step 7 in all); found the batch images/" in message
    assert message.count("images/") == 4
    assert "lower train.lr, or look at these files; the weights of epoch 1 are in" in message
    last = next(tmp_path.rglob("last.keras"))
    model, card = load_model(last)
    assert card.provenance["epoch"] == 1
    assert all(np.isfinite(w).all() for w in model.get_weights())


def test_a_full_disk_keeps_the_earlier_checkpoint(discs: Path, tmp_path: Path) -> None:
    with ExitStack() as stack:

        class FullInEpochTwo(Listener):
            def step(self, epoch: int, step: int, steps: int, images_per_s: float, loss: float) -> None:
                if (epoch, step) == (2, 1):
                    while not list(tmp_path.rglob("training.npz")):  # the last thing that is written beside the epoch
                        time.sleep(0.01)
                    stack.enter_context(files_up_to(2048))

        with pytest.raises(OutputError, match=r"last\.keras: cannot write the file.*the earlier file is untouched"):
            fit(config_for(discs, tmp_path), reporter=FullInEpochTwo())
    _, card = load_model(next(tmp_path.rglob("last.keras")))
    assert card.provenance["epoch"] == 1


def test_a_file_lost_in_mid_training_is_named(tmp_path: Path) -> None:
    data = draw_discs(tmp_path / "data", 12)

    class Thief(Listener):
        def epoch(self, row: Any, epochs: int, *, best: bool) -> None:
            for path in (data / "images").iterdir():
                path.unlink()

    with pytest.raises(DataError, match=r"images/\d+\.png: no such file"):
        fit(config_for(data, tmp_path, train__cache="none", train__epochs=9), reporter=Thief())


@pytest.mark.parametrize(
    "told",
    [
        tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor"),
        # JAX's, jax.errors.JaxRuntimeError
        RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 4398046511104 bytes."),
    ],
)
def test_too_little_memory_names_what_would_need_less(
    told: Exception, discs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exhaust(*_: Any, **__: Any) -> None:
        raise told

    monkeypatch.setattr(keras.Model, "fit", exhaust)
    with pytest.raises(TrainingError, match=r"found batch 4 at 32×32; use a smaller --batch, --imgsz or model\.widths"):
        fit(config_for(discs, tmp_path))


def test_a_stop_between_steps_saves_the_moment(discs: Path, tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGINT)

    class Impatient(Listener):
        def step(self, epoch: int, step: int, steps: int, images_per_s: float, loss: float) -> None:
            if (epoch, step) == (2, 2):
                os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted) as caught:
        fit(config_for(discs, tmp_path, train__epochs=50), reporter=Impatient())
    assert caught.value.exit_code == 130
    folder = next(tmp_path.rglob("args.yaml")).parent
    assert len((folder / "results.csv").read_text().splitlines()) == 2
    assert (folder / "results.png").is_file()
    load_model(folder / "weights" / "last.keras")
    assert signal.getsignal(signal.SIGINT) is before, "the handler is given back"


def command(discs: Path, project: Path) -> list[str]:
    return [
        sys.executable, "-m", "kseg", "fit", "--data", str(discs), "--imgsz", "32", "--epochs", "500", "--batch", "4",
        "--patience", "0", "--project", str(project), "--name", "x", "--set", "model.widths=[4]",
    ]  # fmt: skip


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    for _ in range(1200):
        if path.exists():
            return
        assert process.poll() is None, process.stderr and process.stderr.read()
        time.sleep(0.1)
    raise AssertionError(f"{path} never came")


def environment(**changed: str) -> dict[str, str]:
    """This process' environment, without a word on oneDNN unless it is changed."""
    return {**{name: value for name, value in os.environ.items() if name != "TF_ENABLE_ONEDNN_OPTS"}, **changed}


def test_ctrl_c_on_the_command_line(discs: Path, tmp_path: Path) -> None:
    process = subprocess.Popen(command(discs, tmp_path), stderr=subprocess.PIPE, text=True, env=environment())
    wait_for(tmp_path / "fit" / "x" / "results.csv", process)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in said
    assert "error:" in said.splitlines()[-1]
    assert "the current weights are in" in said.splitlines()[-1]
    load_model(tmp_path / "fit" / "x" / "weights" / "last.keras")
    env = json.loads((tmp_path / "fit" / "x" / "env.json").read_text())
    assert env["onednn"] is is_x86()
    assert f" fit --data {discs} --imgsz 32 --epochs 500 " in env["command"]


def test_kill_9_leaves_whole_files(discs: Path, tmp_path: Path) -> None:
    without_onednn = environment(TF_ENABLE_ONEDNN_OPTS="0")
    process = subprocess.Popen(command(discs, tmp_path), stderr=subprocess.DEVNULL, text=True, env=without_onednn)
    folder = tmp_path / "fit" / "x"
    wait_for(folder / "weights" / "best.keras", process)
    time.sleep(0.3)
    process.kill()
    process.wait()
    for name in ("best", "last"):
        load_model(folder / "weights" / f"{name}.keras")
    rows = list(csv.DictReader((folder / "results.csv").read_text().splitlines()))
    assert rows
    assert all(row["val_iou"] for row in rows)
    Dataset.load(folder / "data.json")
    assert json.loads((folder / "env.json").read_text())["onednn"] is False


class TestHardware:
    @pytest.mark.parametrize(
        ("device", "expected"),
        [
            (Device("gpu", "A100", (8, 0)), "mixed_bfloat16"),
            (Device("gpu", "T4", (7, 5)), "mixed_float16"),
            (Device("gpu", "P100", (6, 0)), "float32"),
            (Device("gpu", "unknown"), "float32"),
        ],
    )
    def test_mixed_precision_where_the_gpu_gains(self, device: Device, expected: str) -> None:
        assert choose_precision("auto", device) == expected

    @pytest.mark.parametrize(
        ("devices", "chip", "gpu"),
        [
            (["cpu:0"], {}, None),
            (["gpu:0", "gpu:1"], {"device_kind": "H100", "compute_capability": "9.0"}, Device("gpu", "H100", (9, 0))),
            (["gpu:0"], {"device_kind": "T4", "compute_capability": "7.5"}, Device("gpu", "T4", (7, 5))),
            (["gpu:0"], {"device_kind": "MI300X"}, Device("gpu", "MI300X", (8, 0))),
        ],
    )
    def test_jax_with_and_without_a_gpu(
        self, monkeypatch: pytest.MonkeyPatch, devices: list[str], chip: dict[str, str], gpu: Device | None
    ) -> None:
        def list_devices(device_type: str | None = None) -> list[str]:
            """As JAX does it."""
            if device_type and not devices[0].startswith(device_type):
                raise RuntimeError(f"Unknown backend: {device_type!r} requested")
            return devices

        monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
        monkeypatch.setattr(keras.distribution, "list_devices", list_devices)
        monkeypatch.setitem(sys.modules, "jax", SimpleNamespace(devices=lambda: [SimpleNamespace(**chip)]))
        found = choose_device("auto")
        assert found == gpu if gpu else found.kind == "cpu"
        with pytest.raises(UsageError, match="JAX_PLATFORMS=cpu" if gpu else "no GPU is visible to jax"):
            choose_device("cpu" if gpu else "gpu")

    def test_what_the_user_says_stands(self) -> None:
        assert choose_precision("mixed_bfloat16", Device("cpu", "any")) == "mixed_bfloat16"
