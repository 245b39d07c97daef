"""Networks, losses, metrics, callbacks and batches in plain Keras, saved, and loaded by another process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import kseg
from kseg.errors import ConfigError, DataError, TrainingError, UsageError
from tests.api.conftest import VALUES
from tests.jax_python import run_jax

PROGRAM = """
import sys
import keras, numpy as np
import kseg

photos, path = sys.argv[1:]
train, val = kseg.data.from_folder(photos, size=(32, 32), batch=8, augment="light")
model = kseg.models.Unet(input_shape=(32, 32, 3), classes=2, encoder_channels=(4, 8), activation="softmax")
model.compile(
    optimizer=keras.optimizers.Adam(3e-3),
    loss=kseg.losses.Dice() + 0.5 * kseg.losses.CategoricalFocal(),
    metrics=[kseg.metrics.IoU(2), kseg.metrics.Dice(2), kseg.metrics.PixelAccuracy(2)],
)
callbacks = [kseg.callbacks.WeightAverage(2), kseg.callbacks.StopOnNan(), kseg.callbacks.EarlyStopping(patience=9)]
history = model.fit(train, validation_data=val, epochs=2, verbose=0, callbacks=callbacks).history
model.save(path)
np.save(path + ".npy", model.predict(np.zeros((1, 32, 32, 3), "float32"), verbose=0))
print(keras.backend.backend(), sorted(history), len(history["loss"]), all(np.isfinite(history["loss"])))
"""
LOAD = """
import sys
import kseg, keras, numpy as np

model = keras.models.load_model(sys.argv[1])
scores = model.predict(np.zeros((1, 32, 32, 3), "float32"), verbose=0)
np.testing.assert_allclose(scores, np.load(sys.argv[1] + ".npy"), atol=1e-5)
model.evaluate(np.zeros((2, 32, 32, 3)), np.zeros((2, 32, 32)), verbose=0)
print(type(model).__module__.split(".")[0], model.loss)
"""
NAMES = ["dice", "iou", "loss", "pixel_accuracy"]


def run_tensorflow(*command: object) -> str:
    """What ``python COMMAND`` prints on TensorFlow."""
    done = subprocess.run([sys.executable, *map(str, command)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.parametrize(("backend", "run_python"), [("tensorflow", run_tensorflow), ("jax", run_jax)])
def test_a_training_of_ones_own_needs_no_other_piece_of_kseg(
    photos: Path, tmp_path: Path, backend: str, run_python: Callable[..., str]
) -> None:
    path = tmp_path / "photos.keras"
    names = sorted([*NAMES, *(f"val_{name}" for name in NAMES)])
    assert run_python("-c", PROGRAM, photos, path).splitlines()[-1] == f"{backend} {names} 2 True"
    loaded = run_python("-c", LOAD, path).splitlines()[-1]
    assert loaded.startswith("keras Dice() + 0.5 * CategoricalFocal()")


def test_each_pass_is_an_epoch_of_its_own_and_validation_is_in_order(photos: Path) -> None:
    train, val = kseg.data.from_folder(photos, size=(24, 32), batch=6, values=VALUES)
    steps = int(train.cardinality())
    assert steps == -(-32 // 6)
    first, second = ([images.numpy() for images, _ in train] for _ in range(2))
    assert all(images.shape == (6, 24, 32, 3) for images in first)
    assert not np.array_equal(first[0], second[0])
    # Between them the two passes hold each picture once or, where they overlap, twice.
    shown = np.unique(np.concatenate([*first, *second]).reshape(-1, 24 * 32 * 3), axis=0, return_counts=True)
    assert len(shown[0]) == 32
    assert set(shown[1]) <= {2, 3}
    images, masks = next(iter(val))
    assert (images.dtype, masks.dtype, masks.shape[1:]) == (np.float32, np.uint8, (24, 32))
    assert sum(len(masks) for _, masks in val) == 4
    np.testing.assert_array_equal(next(iter(val))[0], images)


def test_the_seed_decides_the_batches(photos: Path) -> None:
    def batches(seed: int) -> list[np.ndarray]:
        train, _ = kseg.data.from_folder(photos, size=(16, 16), batch=8, values=VALUES, seed=seed, augment="light")
        return [images.numpy() for images, _ in train]

    np.testing.assert_array_equal(batches(3), batches(3))
    assert not np.array_equal(batches(3), batches(4))


@pytest.mark.parametrize("cache", ["disk", "none"])
def test_wherever_images_are_kept_the_batches_are_the_same(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: str
) -> None:
    monkeypatch.setenv("KSEG_CACHE", str(tmp_path))
    pairs = [
        kseg.data.from_folder(photos, size=(48, 48), batch=8, values=VALUES, cache=kind)[0]  # type: ignore[arg-type]
        for kind in ("ram", cache)
    ]
    for (images, masks), (others, other_masks) in zip(*pairs, strict=True):
        np.testing.assert_array_equal(masks, other_masks)
        np.testing.assert_allclose(images, others, atol=1.0)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (
            {"batch": 99},
            UsageError,
            "batch: the batch does not fit the training data; expected 1 to 32 images; found 99",
        ),
        ({"augment": "hevy"}, ConfigError, r"augment: .*did you mean 'heavy'"),
        ({"cache": "tape"}, UsageError, "cache: unknown cache 'tape'"),
        ({"split": {"by": "folders"}}, ConfigError, r"split: not a split; expected Fractions.*found dict"),
        ({"classes": ["cat"]}, ConfigError, "classes: a segmentation"),
    ],
)
def test_a_mistake_in_from_folder_is_one_line(
    photos: Path, options: dict[str, object], error: type, message: str
) -> None:
    with pytest.raises(error, match=message):
        kseg.data.from_folder(photos, **{"values": VALUES, **options})  # type: ignore[arg-type]


def test_a_remedy_names_the_arguments_of_python(photos: Path) -> None:
    with pytest.raises(DataError) as caught:
        kseg.data.from_folder(photos, classes=["background", "thing"], values={0: "background", 77: "thing"})
    assert "values={" in str(caught.value)
    assert "data." not in str(caught.value.remedy)


def test_a_folder_without_pictures_is_a_data_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no layout of a data set is recognised"):
        kseg.data.from_folder(tmp_path)


def test_a_loss_that_is_no_number_stops_a_plain_training() -> None:
    import keras

    model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(TrainingError, match=r"the loss became nan at epoch step 1 .*the images of this batch"):
        model.fit(np.full((4, 2), np.nan), np.zeros((4, 1)), verbose=0, callbacks=[kseg.callbacks.StopOnNan()])
