"""The Keras metric against the numpy scores, on the backends that are installed."""

from __future__ import annotations

import importlib.util
import math
import os
import subprocess
import sys

import keras
import numpy as np
import pytest

from kseg import metrics
from kseg.metrics.training import SegmentationMetrics


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
    found = {name: float(value) for name, value in metric.result().items()}
    assert found == pytest.approx(_expected(matrix, foreground), abs=1e-6)
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
    with pytest.raises(ValueError, match="takes no sample weights"):
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


JAX_PROGRAM = """
import jax, numpy as np
from kseg.metrics.training import SegmentationMetrics
truth = np.array([[[0, 1, 1, 255]]])
for logits in ([[[[-2.], [3.], [-1.], [5.]]]], [[[[2., 0.], [0., 3.], [1., 0.], [0., 5.]]]]):
    metric = SegmentationMetrics(2, foreground=(1,))
    step = jax.jit(lambda state, t, l: metric.stateless_update_state(state, t, l))
    state = step([v.value for v in metric.variables], truth, np.array(logits, "float32"))
    print(float(metric.stateless_result(state)["iou"]))
"""


def test_the_jax_backend_jits_it():
    if importlib.util.find_spec("jax") is None:
        pytest.skip("needs jax, which is not installed")
    env = {**os.environ, "KERAS_BACKEND": "jax"}
    done = subprocess.run([sys.executable, "-c", JAX_PROGRAM], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0.5", "0.5"]
