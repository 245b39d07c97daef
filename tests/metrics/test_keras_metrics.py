"""The Keras metrics against the NumPy scores and scikit-learn, on TensorFlow and JAX."""

from __future__ import annotations

import json
import math
import os
import subprocess
from pathlib import Path

import keras
import numpy as np
import pytest
from sklearn import metrics as sk

import kseg
from kseg import metrics
from kseg.errors import UsageError
from kseg.metrics.keras_metrics import SegmentationMetrics
from tests.metrics.jax_side import train_and_load


def _batch(seed, classes, channels, ignored=True):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes, (3, 8, 6)).astype(np.uint8)
    if ignored:
        truth[rng.random(truth.shape) < 0.2] = 255
    logits = rng.normal(size=(3, 8, 6, channels)).astype(np.float32)
    ids = (logits[..., 0] > 0).astype(np.uint8) if channels == 1 else logits.argmax(-1).astype(np.uint8)
    return truth, logits, ids


def _expected(matrix, foreground):
    every = range(len(matrix))
    return {
        "iou": metrics.class_mean(metrics.iou(matrix), foreground),
        "mean_iou": metrics.class_mean(metrics.iou(matrix), every),
        "dice": metrics.class_mean(metrics.dice(matrix), foreground),
        "accuracy": metrics.pixel_accuracy(matrix),
    }


CASES = pytest.mark.parametrize(
    ("classes", "channels", "foreground"), [(2, 1, (1,)), (2, 2, (0, 1)), (4, 4, (1, 2, 3)), (5, 5, (2, 4))]
)


@CASES
def test_scores_over_several_batches_are_those_of_the_summed_matrix(classes, channels, foreground):
    metric = SegmentationMetrics(classes, foreground)
    matrix = np.zeros((classes, classes), np.int64)
    for seed in range(3):
        truth, logits, ids = _batch(seed, classes, channels)
        metric.update_state(truth, logits)
        matrix += metrics.confusion_matrix(truth, ids, classes)
    scores = {name: float(value) for name, value in metric.result().items()}
    assert scores == pytest.approx(_expected(matrix, foreground), abs=1e-6)
    metric.reset_state()
    assert np.asarray(metric.matrix).sum() == 0


@CASES
def test_ignored_pixels_count_nowhere(classes, channels, foreground):
    truth, logits, _ = _batch(1, classes, channels)
    metric = SegmentationMetrics(classes, foreground)
    metric.update_state(truth, logits)
    before = np.asarray(metric.matrix).copy()
    logits[truth == 255] *= -1
    metric.reset_state()
    metric.update_state(truth, logits)
    np.testing.assert_array_equal(np.asarray(metric.matrix), before)
    assert before.sum() == (truth != 255).sum()


def test_an_absent_class_is_left_out_of_the_mean_and_no_class_at_all_gives_nan():
    metric = SegmentationMetrics(3, (1, 2))
    metric.update_state(np.array([[[0, 1]]]), np.array([[[[9.0, 0, 0], [0, 9.0, 0]]]], np.float32))
    assert float(metric.result()["iou"]) == 1.0
    metric.reset_state()
    metric.update_state(np.array([[[0, 0]]]), np.array([[[[9.0, 0, 0], [9.0, 0, 0]]]], np.float32))
    assert math.isnan(metric.result()["iou"])
    assert float(metric.result()["mean_iou"]) == 1.0


@CASES
def test_auxiliary_logits_count_nowhere(classes, channels, foreground):
    truth, logits, ids = _batch(1, classes, channels)
    others = _batch(2, classes, channels)[1]
    metric = SegmentationMetrics(classes, foreground, channels=channels)
    metric.update_state(truth, np.concatenate([logits, others, -logits], axis=-1))
    np.testing.assert_array_equal(np.asarray(metric.matrix), metrics.confusion_matrix(truth, ids, classes))


def test_half_precision_logits_are_counted_in_float32():
    truth, logits, _ = _batch(2, 2, 1, ignored=False)
    metric = SegmentationMetrics(2, (1,))
    for _ in range(40):  # 40 × 144 pixels: bfloat16 cannot count past 256
        metric.update_state(truth, keras.ops.cast(logits, "bfloat16"))
    assert np.asarray(metric.matrix).sum() == 40 * truth.size


def test_sample_weights_are_refused():
    message = r"^SegmentationMetrics takes no sample_weight; leave pixels out by ignore_index$"
    with pytest.raises(UsageError, match=message):
        SegmentationMetrics(2, (1,)).update_state(np.zeros((1, 1, 1)), np.zeros((1, 1, 1, 1)), np.ones(1))


def test_a_saved_config_rebuilds_the_same_metric():
    metric = SegmentationMetrics(4, (1, 3), 9, channels=4)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(metric))
    assert (again.num_classes, again.foreground, again.ignore_index, again.channels) == (4, (1, 3), 9, 4)
    assert str(again.matrix.dtype) == "float32"


def test_fit_logs_the_four_names_with_and_without_val():
    model = keras.Sequential([keras.layers.Input((8, 6, 3)), keras.layers.Conv2D(1, 1)])
    model.compile(
        "sgd",
        loss=lambda truth, logits: keras.ops.mean(logits) + 0 * keras.ops.mean(keras.ops.cast(truth, "float32")),
        metrics=[SegmentationMetrics(2, (1,))],
    )
    truth, _, _ = _batch(0, 2, 1)
    images = np.random.default_rng(0).normal(size=(3, 8, 6, 3)).astype(np.float32)
    history = model.fit(images, truth, validation_data=(images, truth), epochs=1, verbose=0).history
    names = {"iou", "mean_iou", "dice", "accuracy"}
    assert set(history) == {"loss", "val_loss"} | names | {f"val_{name}" for name in names}
    ids = (model.predict(images, verbose=0)[..., 0] > 0).astype(np.uint8)
    expected = _expected(metrics.confusion_matrix(truth, ids, 2), (1,))
    assert history["val_iou"][0] == pytest.approx(expected["iou"], abs=1e-6)


def _probabilities(logits):
    if logits.shape[-1] == 1:
        return 1 / (1 + np.exp(-logits))
    scores = np.exp(logits)
    return scores / scores.sum(-1, keepdims=True)


KINDS = {
    "IoU": lambda matrix, classes: metrics.class_mean(metrics.iou(matrix), classes),
    "Dice": lambda matrix, classes: metrics.class_mean(metrics.dice(matrix), classes),
    "PixelAccuracy": lambda matrix, _: metrics.pixel_accuracy(matrix),
}
"""The metrics of one number, and what they are of the NumPy confusion matrix."""
every_kind = pytest.mark.parametrize("kind", KINDS)


def make(kind, num_classes, classes=None, **options):
    if kind != "PixelAccuracy":
        options["classes"] = classes
    return getattr(metrics, kind)(num_classes, **options)


@every_kind
@CASES
@pytest.mark.parametrize("from_logits", [False, True])
def test_each_is_the_numpy_score_of_the_summed_matrix(kind, classes, channels, foreground, from_logits):
    metric = make(kind, classes, foreground, from_logits=from_logits)
    matrix = np.zeros((classes, classes), np.int64)
    for seed in range(3):
        truth, logits, ids = _batch(seed, classes, channels)
        metric.update_state(truth, logits if from_logits else _probabilities(logits))
        matrix += metrics.confusion_matrix(truth, ids, classes)
    assert float(metric.result()) == pytest.approx(KINDS[kind](matrix, foreground), abs=1e-6)
    assert metric.result().shape == ()


def test_binary_scores_are_those_of_scikit_learn():
    truth, logits, ids = _batch(0, 2, 1)
    flat = truth[truth != 255], ids[truth != 255]
    for kind, expected in (
        ("IoU", sk.jaccard_score(*flat)), ("Dice", sk.f1_score(*flat)), ("PixelAccuracy", sk.accuracy_score(*flat)),
    ):  # fmt: skip
        metric = make(kind, 2)
        metric.update_state(truth, _probabilities(logits))
        assert float(metric.result()) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("kind", ["IoU", "Dice"])
def test_the_classes_of_the_mean(kind):
    truth, logits, ids = _batch(4, 4, 4)
    matrix = metrics.confusion_matrix(truth, ids, 4)
    for classes, expected in ((None, (1, 2, 3)), ("all", range(4)), ((2,), (2,)), (np.array([0, 3]), (0, 3))):
        metric = make(kind, 4, classes)
        metric.update_state(truth, logits)
        assert float(metric.result()) == pytest.approx(KINDS[kind](matrix, expected), abs=1e-6)
        assert metric.get_config()["classes"] == list(expected)


@pytest.mark.parametrize("from_logits", [False, True])
def test_the_threshold_is_one_of_probabilities(from_logits):
    truth, logits, _ = _batch(3, 2, 1)
    probabilities = _probabilities(logits)
    for threshold in (0.2, 0.9):
        metric = metrics.IoU(2, threshold=threshold, from_logits=from_logits)
        metric.update_state(truth, logits if from_logits else probabilities)
        ids = (probabilities[..., 0] > threshold).astype(np.uint8)
        expected = metrics.iou(metrics.confusion_matrix(truth, ids, 2))[1]
        assert float(metric.result()) == pytest.approx(expected, abs=1e-6)


@every_kind
def test_truth_in_all_forms_is_counted_alike(kind):
    truth, logits, _ = _batch(5, 4, 4)
    one_hot = np.eye(256, 4)[truth]
    marked = np.where((truth == 255)[..., None], 255, one_hot)
    scores = set()
    for form in (truth, truth[..., None], truth.astype(np.float32), one_hot, one_hot.astype(bool), marked):
        metric = make(kind, 4)
        metric.update_state(form, logits)
        scores.add(float(metric.result()))
    assert len(scores) == 1
    binary = [make(kind, 2) for _ in range(2)]
    truth, logits, _ = _batch(5, 2, 1)
    binary[0].update_state(truth, logits)
    binary[1].update_state(truth[..., None], logits)
    assert float(binary[0].result()) == float(binary[1].result())


@every_kind
@pytest.mark.parametrize("channels", [1, 4])
@pytest.mark.parametrize("ignored", [0, 1, 9])
def test_any_id_may_be_the_ignored_one(kind, channels, ignored):
    truth, logits, _ = _batch(6, max(2, channels), channels, ignored=False)
    truth[:, :2] = ignored
    usual, other = make(kind, max(2, channels), "all"), make(kind, max(2, channels), "all", ignore_index=ignored)
    usual.update_state(np.where(truth == ignored, 255, truth), logits)
    other.update_state(truth, logits)
    np.testing.assert_array_equal(usual.matrix, other.matrix)


@every_kind
def test_without_any_pixel_the_score_is_nan(kind):
    metric = make(kind, 3)
    assert math.isnan(metric.result())
    metric.update_state(np.full((1, 2, 2), 255), np.zeros((1, 2, 2, 3)))
    assert math.isnan(metric.result())


@pytest.mark.parametrize(
    ("attempt", "message"),
    [
        (lambda: metrics.IoU(1), "wrong num_classes; expected a whole number from 2 on; found 1"),
        (lambda: metrics.Dice("two"), "wrong num_classes; expected a whole number from 2 on; found 'two'"),
        (lambda: metrics.IoU(3, (1, 3)), "wrong classes; expected ids from 0 to 2, or 'all'; found (1, 3)"),
        (lambda: metrics.IoU(3, ()), "wrong classes; expected ids from 0 to 2, or 'all'; found ()"),
        (lambda: metrics.IoU(3, "foreground"), "wrong classes; expected ids from 0 to 2, or 'all'; found 'foreground'"),
        (lambda: metrics.IoU(2, threshold=1), "wrong threshold; expected a number between 0 and 1; found 1"),
        (
            lambda: metrics.IoU(3).update_state(np.zeros((1, 2, 2)), np.zeros((1, 2, 2, 4))),
            "y_pred does not fit num_classes; expected 3 channels; found 4",
        ),
        (
            lambda: metrics.IoU(2).update_state(np.zeros((1, 2, 2)), np.zeros((1, 2, 2, 3))),
            "y_pred does not fit num_classes; expected 2 channels or 1; found 3",
        ),
        (
            lambda: metrics.IoU(2).update_state(np.zeros((1, 2, 3)), np.zeros((1, 2, 2, 1))),
            "y_true does not fit y_pred; expected y_pred [B, H, W, C], and as y_true class ids [B, H, W] or "
            "[B, H, W, 1]; found y_pred [1, 2, 2, 1] and y_true [1, 2, 3]",
        ),
    ],
)  # fmt: skip
def test_each_mistake_is_one_clear_line(attempt, message):
    with pytest.raises(UsageError) as caught:
        attempt()
    assert str(caught.value) == message


@every_kind
def test_a_saved_config_rebuilds_each(kind):
    metric = make(kind, 4, (1, 3), ignore_index=9, from_logits=True, threshold=0.25, name="score")
    plain = json.loads(json.dumps(keras.saving.serialize_keras_object(metric)))
    again = keras.saving.deserialize_keras_object(plain)
    assert type(again) is type(metric)
    assert again.get_config() == metric.get_config()
    assert (
        again.get_config().items()
        >= {"ignore_index": 9, "from_logits": True, "threshold": 0.25, "name": "score"}.items()
    )


@pytest.mark.parametrize("channels", [1, 3])
def test_they_train_save_and_load_with_a_model(channels, tmp_path):
    truth, images, _ = _batch(7, max(2, channels), channels)
    results = train_and_load(truth, images, tmp_path / "model.keras")
    matrix = metrics.confusion_matrix(
        truth, (images[..., 0] > 0) if channels == 1 else images.argmax(-1), max(2, channels)
    )
    expected = [score(matrix, range(1, max(2, channels))) for score in KINDS.values()]
    assert [results["before"][name] for name in ("iou", "dice", "pixel_accuracy")] == pytest.approx(expected, abs=1e-6)
    assert set(results["trained"]) == {"loss", "iou", "dice", "pixel_accuracy"}
    assert results["loaded"] == pytest.approx(results["after"], rel=1e-6)


def test_on_jax_they_say_the_same(tmp_path):
    """Skipped unless ``KSEG_JAX_PYTHON`` names a Python that has ``keras`` and ``jax``."""
    python = os.environ.get("KSEG_JAX_PYTHON")
    if not python:
        pytest.skip("KSEG_JAX_PYTHON names no Python with keras and jax")
    for channels in (1, 3):
        truth, images, _ = _batch(7, max(2, channels), channels)
        np.savez(tmp_path / "batch.npz", truth=truth, images=images)
        env = {
            **os.environ,
            "KERAS_BACKEND": "jax",
            "JAX_PLATFORMS": "cpu",
            "PYTHONPATH": str(Path(kseg.__file__).parents[1]),
        }
        command = [python, str(Path(__file__).with_name("jax_side.py")), str(tmp_path)]
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        theirs, ours = json.loads(done.stdout.splitlines()[-1]), train_and_load(truth, images, tmp_path / "model.keras")
        assert theirs.pop("jitted iou") == [0.5, 0.5]
        assert set(theirs) == set(ours)
        for key, scores in ours.items():
            assert theirs[key] == pytest.approx(scores, rel=1e-4)
