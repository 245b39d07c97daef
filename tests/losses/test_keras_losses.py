"""The contract of the Keras losses by name: what each computes, what it takes, and that it trains, saves and loads."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.special import expit, softmax

import kseg.losses
from kseg.errors import ConfigError, KsegError, UnknownNameError, UsageError
from kseg.losses import LOSSES
from tests.losses.cases import SHAPE, WEIGHTS, Array, call, draw
from tests.losses.keras_cases import CLASSES, KERAS_CASES, REGIONS, TRAININGS, make, other_arguments, train_and_load

every_class = pytest.mark.parametrize("kind", CLASSES)
every_case = pytest.mark.parametrize(("kind", "channels", "activation"), KERAS_CASES)


def value(loss: Any, y_true: Array, y_pred: Array) -> float:
    return float(np.asarray(loss(y_true, y_pred)))


def probabilities(logits: Array, activation: str) -> Array:
    """In float64, so that nothing is rounded before the loss."""
    function = expit if logits.shape[-1] == 1 or activation == "sigmoid" else softmax
    options = {} if function is expit else {"axis": -1}
    return function(logits.astype(np.float64), **options)


def test_every_loss_of_the_table_has_a_class() -> None:
    assert set(CLASSES.values()) == set(LOSSES)
    assert set(kseg.losses.__all__) == {*CLASSES, "LOSSES", "parse_loss"}


@every_class
def test_arguments_are_those_of_the_table(kind: str) -> None:
    loss = getattr(kseg.losses, kind)
    parameters = inspect.signature(loss).parameters.values()
    own = {p.name: p.default for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD}
    assert own == {key: argument.default for key, argument in LOSSES[CLASSES[kind]].items()}
    shared = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}
    activation = {"activation": None} if kind in REGIONS else {}
    expected = {"class_weights": None, "ignore_index": 255, "from_logits": False, "name": None, **activation}
    assert shared == expected
    for key, argument in LOSSES[CLASSES[kind]].items():
        line = " ".join(loss.__doc__.partition(f"        {key}: ")[2].partition("Defaults to")[0].split())
        # No spaces and no scientific notation in the docstrings: 1e6, not 1e+06.
        assert f"{argument.low:g} … {argument.high:g}".replace("e+0", "e") in line
        assert f"Defaults to {argument.default:.4g}." in " ".join(loss.__doc__.partition(f" {key}: ")[2].split())


@every_case
@pytest.mark.parametrize("weighted", [False, True])
def test_it_is_the_function_of_its_name(kind: str, channels: int, activation: Any, weighted: bool) -> None:
    ids, logits = draw(channels)
    arguments, weights = other_arguments(kind), WEIGHTS[channels] if weighted else None
    expected = call(CLASSES[kind], ids, logits, activation=activation, class_weights=weights, **arguments)
    loss = make(kind, activation, class_weights=weights, from_logits=True, **arguments)
    assert value(loss, ids, logits) == pytest.approx(expected, rel=1e-6)
    assert expected != pytest.approx(
        call(CLASSES[kind], ids, logits, activation=activation, class_weights=weights)
    ) or (not arguments)


@every_case
def test_probabilities_are_as_good_as_logits(kind: str, channels: int, activation: Any) -> None:
    ids, logits = draw(channels)
    expected = value(make(kind, activation, from_logits=True), ids, logits)
    predictions = probabilities(logits, activation)
    assert value(make(kind, activation), ids, predictions) == pytest.approx(expected, rel=1e-5)


@every_case
def test_gradients_through_probabilities_are_those_of_logits(kind: str, channels: int, activation: Any) -> None:
    ids, logits = draw(channels)
    end = keras.ops.sigmoid if activation == "sigmoid" else keras.ops.softmax
    slopes = []
    for loss, last in ((make(kind, activation), end), (make(kind, activation, from_logits=True), lambda x: x)):
        variable = tf.Variable(logits)
        with tf.GradientTape() as tape:
            result = loss(ids, last(variable))
        slopes.append(np.asarray(tape.gradient(result, variable)))
    np.testing.assert_allclose(slopes[0], slopes[1], rtol=1e-3, atol=1e-6)


@every_case
def test_certain_probabilities_have_finite_losses_and_gradients(kind: str, channels: int, activation: Any) -> None:
    ids, _ = draw(channels)
    right = np.eye(256, max(2, channels), dtype=np.float32)[ids]
    right = right[..., 1:] if channels == 1 else right
    for predictions in (right, 1 - right):
        variable = tf.Variable(predictions)
        with tf.GradientTape() as tape:
            result = make(kind, activation)(ids, variable)
        assert np.isfinite(float(result))
        assert np.isfinite(tape.gradient(result, variable)).all()
    assert value(make(kind, activation), ids, right) < 1e-3 < value(make(kind, activation), ids, 1 - right)


@every_case
def test_class_ids_may_have_a_channel_of_their_own(kind: str, channels: int, activation: Any) -> None:
    ids, logits = draw(channels)
    loss = make(kind, activation, class_weights=WEIGHTS[channels])
    predictions = probabilities(logits, activation)
    assert value(loss, ids[..., None], predictions) == value(loss, ids, predictions)


@pytest.mark.parametrize(("kind", "activation"), [
    *((kind, "softmax") for kind in CLASSES if not kind.startswith("Binary")),
    *((kind, "sigmoid") for kind in CLASSES if not kind.startswith("Categorical")),
])  # fmt: skip
@pytest.mark.parametrize("dtype", ["uint8", "float32", "bool"])
def test_one_hot_is_as_good_as_class_ids(kind: str, activation: Any, dtype: str) -> None:
    ids, logits = draw(4)
    predictions = probabilities(logits, activation)
    one_hot = np.eye(256, 4)[ids].astype(dtype)
    if activation == "sigmoid":  # where a pixel without any class is one of none, not an ignored one
        ids = np.where(ids == 255, 2, ids)
        one_hot[..., 2] = ids == 2
    loss = make(kind, activation)
    assert value(loss, one_hot, predictions) == pytest.approx(value(loss, ids, predictions), rel=1e-6)


@every_case
@pytest.mark.parametrize("strange", [0.0, 1.0, np.nan])
def test_predictions_of_ignored_pixels_change_nothing(
    kind: str, channels: int, activation: Any, strange: float
) -> None:
    ids, logits = draw(channels)
    predictions = probabilities(logits, activation).astype(np.float32)
    other = np.where((ids == 255)[..., None], np.float32(strange), predictions)
    loss = make(kind, activation)
    slopes = []
    for array in (predictions, other):
        variable = tf.Variable(array)
        with tf.GradientTape() as tape:
            result = loss(ids, variable)
        slopes.append(np.asarray(tape.gradient(result, variable)))
    np.testing.assert_array_equal(*slopes)
    assert not slopes[0][ids == 255].any()
    assert value(loss, ids, other) == value(loss, ids, predictions)
    assert value(make(kind, activation, ignore_index=9), np.where(ids == 255, 9, ids), other) == value(loss, ids, other)


def overlapping(seed: int = 0) -> tuple[Array, Array]:
    """Multi-label truth, in which pixels have any number of three classes, and its logits."""
    rng = np.random.default_rng(seed)
    y_true = rng.integers(0, 2, (*SHAPE, 3)).astype(np.float32)
    y_true[:, -1, :2] = np.eye(2)[..., None]  # every image has every class and its complement
    return y_true, rng.normal(scale=2, size=(*SHAPE, 3)).astype(np.float32)


@pytest.mark.parametrize("kind", [k for k in CLASSES if not k.startswith("Categorical") and k != "GeneralizedDice"])
def test_classes_that_overlap_are_decided_one_by_one(kind: str) -> None:
    y_true, logits = overlapping()
    loss = make(kind, "sigmoid", from_logits=True)
    alone = [value(make(kind, from_logits=True), y_true[..., c], logits[..., c : c + 1]) for c in range(3)]
    assert value(loss, y_true, logits) == pytest.approx(np.mean(alone), rel=1e-5)
    marked = y_true.copy()
    marked[0, 0] = 255
    unmarked = [np.where(marked[..., c] == 255, 255, y_true[..., c]) for c in range(3)]
    alone = [value(make(kind, from_logits=True), unmarked[c], logits[..., c : c + 1]) for c in range(3)]
    assert value(loss, marked, logits) == pytest.approx(np.mean(alone), rel=1e-5)
    assert value(loss, marked, logits) != pytest.approx(value(loss, y_true, logits), rel=1e-3)


def test_generalized_dice_of_classes_that_overlap_is_its_formula() -> None:
    y_true, logits = overlapping()
    p, y = expit(logits.astype(float)).reshape(-1, 3), y_true.reshape(-1, 3)
    w = 1 / y.sum(0) ** 2
    expected = 1 - 2 * (w * (y * p).sum(0)).sum() / (w * (y + p).sum(0)).sum()
    assert value(make("GeneralizedDice", "sigmoid", from_logits=True), y_true, logits) == pytest.approx(
        expected, rel=1e-5
    )


@pytest.mark.parametrize("kind", ["BinaryCrossentropy", "BinaryFocal"])
def test_class_weights_of_pixels_need_one_class_per_pixel(kind: str) -> None:
    message = (
        r"^class_weights of a mean over pixels need one class per pixel; expected y_true as class ids \[B, H, W\]; "
        r"found one-hot y_true with sigmoid; convert y_true by argmax, or leave class_weights out$"
    )
    with pytest.raises(UsageError, match=message):
        make(kind, class_weights=(1, 2, 3))(*overlapping())


@pytest.mark.parametrize(("kind", "channels", "activation"), TRAININGS)
def test_it_trains_saves_and_loads(kind: str, channels: int, activation: Any, tmp_path: Path) -> None:
    ids, images = draw(channels)
    loss = make(kind, activation, class_weights=WEIGHTS[channels], **other_arguments(kind))
    results = train_and_load(loss, activation, ids, images, tmp_path / "model.keras")
    layer = np.eye(channels, dtype=np.float32) + np.float32(0.1)
    expected = value(loss, ids, probabilities(images @ layer, activation))
    assert [results["before"], results["trained"]] == pytest.approx([expected] * 2, rel=1e-5)
    assert results["after"] < results["before"]
    assert results["loaded"] == pytest.approx(results["after"], rel=1e-6)


@pytest.mark.parametrize("channels", [1, 4])
def test_all_of_them_compile_by_xla(channels: int) -> None:
    ids, logits = draw(channels)
    model = keras.Sequential([keras.Input((*SHAPE[1:], channels)), keras.layers.Conv2D(channels, 1)])
    kinds = [kind for kind in CLASSES if not kind.startswith("Binary")]
    loss = sum(make(kind, from_logits=True) for kind in kinds)
    model.compile(keras.optimizers.SGD(0.1), loss, jit_compile=True)
    expected = value(loss, ids, model.predict(logits, verbose=0))
    assert model.fit(logits, ids, verbose=0).history["loss"] == [pytest.approx(expected, rel=1e-4)]


@every_class
def test_config_and_repr_have_every_argument(kind: str) -> None:
    arguments = other_arguments(kind)
    loss = make(kind, "sigmoid", class_weights=(1, 2), ignore_index=7, from_logits=True, name="other", **arguments)
    again = type(loss).from_config(loss.get_config())
    assert again.get_config() == loss.get_config()
    ids, logits = draw(1)
    ids = np.where(ids == 255, 7, ids)
    plain = make(kind, ignore_index=7)
    assert value(loss, ids, logits) == value(again, ids, logits) != value(plain, ids, logits)
    plain = make(kind)
    assert repr(plain) == f"{kind}()"
    assert plain.name == CLASSES[kind]
    written = {"class_weights": [1.0, 2.0], "ignore_index": 7, "from_logits": True, "name": "other", **arguments}
    if kind in REGIONS:
        written["activation"] = "sigmoid"
    assert eval(repr(loss), {kind: type(loss)}).get_config() == loss.get_config()
    assert all(f"{key}={argument!r}" in repr(loss) for key, argument in written.items())


ERRORS: dict[str, tuple[Any, type[KsegError], str]] = {
    "out of range": (
        lambda: kseg.losses.Dice(smooth=-1), ConfigError,
        "wrong smooth of Dice; expected a number from 0 to 1e+06; found -1",
    ),
    "no number": (
        lambda: kseg.losses.BinaryFocal("two"), ConfigError,  # type: ignore[arg-type]
        "wrong gamma of BinaryFocal; expected a number from 0 to 10; found 'two'",
    ),
    "unknown": (
        lambda: kseg.losses.Dice(smoth=1), UnknownNameError,  # type: ignore[call-arg]
        "unknown argument of Dice 'smoth'; expected one of activation, class_weights, from_logits, ignore_index, name, "
        "smooth; did you mean 'smooth'?",
    ),
    "fixed activation": (
        lambda: kseg.losses.BinaryCrossentropy(activation="sigmoid"), UnknownNameError,  # type: ignore[call-arg]
        "unknown argument of BinaryCrossentropy 'activation'; expected one of class_weights, from_logits, "
        "ignore_index, name, smoothing",
    ),
    "activation": (
        lambda: kseg.losses.Lovasz(activation="relu"), ConfigError,  # type: ignore[arg-type]
        "unknown activation; expected softmax or sigmoid; found 'relu'",
    ),
    "negative weights": (
        lambda: kseg.losses.Tversky(class_weights=(1, -1)), ConfigError,
        "wrong class_weights; expected numbers >= 0, one per class, not all 0; found (1, -1)",
    ),
    "weights as text": (
        lambda: kseg.losses.Tversky(class_weights="balanced"), ConfigError,
        "wrong class_weights; expected numbers >= 0, one per class, not all 0; found 'balanced'",
    ),
    "number of weights": (
        lambda: kseg.losses.Dice(class_weights=(1, 2, 3))(*draw(4)), ConfigError,
        "class_weights do not fit y_pred; expected 4 numbers, one per class; found 3",
    ),
    "ignored id": (
        lambda: kseg.losses.Dice(ignore_index=None), ConfigError,  # type: ignore[arg-type]
        "wrong ignore_index; expected a whole number; found None",
    ),
    "sample weights": (
        lambda: kseg.losses.Dice()(*draw(1), sample_weight=np.ones(2)), UsageError,
        "Dice takes no sample_weight; leave pixels out by ignore_index, or weigh classes with class_weights",
    ),
    "shapes": (
        lambda: kseg.losses.Jaccard()(np.zeros((2, 8, 8, 5)), np.zeros((2, 8, 8, 3))), UsageError,
        "y_true does not fit y_pred; expected y_pred [B, H, W, C], and as y_true class ids [B, H, W] or [B, H, W, 1], "
        "or one-hot [B, H, W, 3]; found y_pred [2, 8, 8, 3] and y_true [2, 8, 8, 5]",
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", ERRORS)
def test_each_mistake_is_one_clear_line(mistake: str) -> None:
    attempt, kind, message = ERRORS[mistake]
    with pytest.raises(KsegError) as caught:
        attempt()
    assert type(caught.value) is kind
    assert str(caught.value) == message


def test_mistakes_in_fit_are_told_in_the_same_words() -> None:
    ids, logits = draw(4)
    model = keras.Sequential([keras.Input((*SHAPE[1:], 4)), keras.layers.Conv2D(4, 1, activation="softmax")])
    model.compile("sgd", kseg.losses.Dice(class_weights=(1, 2)))
    with pytest.raises(
        ConfigError, match=r"class_weights do not fit y_pred; expected 4 numbers, one per class; found 2"
    ):
        model.fit(logits, ids, verbose=0)
    with pytest.raises(UsageError, match=r"y_true does not fit y_pred; expected y_pred \[B, H, W, C\]"):
        model.fit(logits, ids[:, 1:], verbose=0)


def test_the_boundary_loss_asks_for_the_size_of_the_images() -> None:
    ids, logits = draw(1)
    loss = kseg.losses.Boundary()

    signature = [tf.TensorSpec((None, None, None)), tf.TensorSpec((None, None, None, 1))]
    graph = tf.function(loss, input_signature=signature, autograph=False)
    message = r"needs images of one size; expected .*; found \[None, None\]; give keras.Input the height and width"
    with pytest.raises(UsageError, match=message):
        graph(ids, logits)
