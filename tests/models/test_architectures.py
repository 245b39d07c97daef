"""The functions for a training of one's own: what they build, what they refuse, and that Keras alone is enough then."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from kseg.errors import ArtifactError, ConfigError, KsegError, UnknownNameError, UsageError
from kseg.models import DeepLabV3Plus, NetworkSpec, Unet, UnetPlusPlus, architectures

SMALL: dict[str, Any] = {"input_shape": (32, 48, 3), "classes": 3, "encoder_channels": (4, 4, 8)}
FUNCTIONS: dict[str, Callable[..., keras.Model]] = {
    "unet": Unet, "unetplusplus": UnetPlusPlus, "deeplabv3plus": DeepLabV3Plus,
}  # fmt: skip
EVERY = pytest.mark.parametrize("arch", FUNCTIONS)


@pytest.fixture(autouse=True)
def _forget_networks() -> Any:
    yield
    keras.backend.clear_session()


def images(count: int = 2) -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 255, (count, 32, 48, 3)).astype(np.float32)


@EVERY
def test_raw_images_become_probabilities_or_logits(arch: str) -> None:
    model, logits = FUNCTIONS[arch](**SMALL), FUNCTIONS[arch](**SMALL, activation=None)
    assert isinstance(model, keras.Model)
    assert all(type(layer).__module__.startswith("keras.") for layer in (model, *model.layers))
    assert (model.name, model.input_shape, model.output_shape) == (
        f"{arch}_plain", (None, 32, 48, 3), (None, 32, 48, 3),
    )  # fmt: skip
    logits.set_weights(model.get_weights())
    expected = keras.ops.softmax(logits(images()))
    np.testing.assert_allclose(model(images()), expected, atol=1e-6)
    assert np.ptp(logits(images())) > 0.1


@pytest.mark.parametrize(("classes", "activation"), [(3, "sigmoid"), (1, "softmax"), (1, "sigmoid")])
def test_sigmoid_decides_each_class_by_itself_and_one_class_is_always_one(classes: int, activation: Any) -> None:
    settings = {**SMALL, "classes": classes}
    model, logits = Unet(**settings, activation=activation), Unet(**settings, activation=None)
    logits.set_weights(model.get_weights())
    np.testing.assert_allclose(model(images()), keras.ops.sigmoid(logits(images())), atol=1e-6)


def test_the_encoder_comes_first() -> None:
    model = Unet("mobilenetv2", (64, 32, 3), 2, decoder_channels=[4] * 5)
    assert (model.name, model.output_shape) == ("unet_mobilenetv2", (None, 64, 32, 2))


def test_layers_compute_by_keras_policy() -> None:
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = Unet(**SMALL)
    finally:
        keras.config.set_dtype_policy("float32")
    assert model.get_layer("encoder0_1_conv").compute_dtype == "bfloat16"
    assert keras.backend.standardize_dtype(model(images()).dtype) == "float32"


OPTIONS: dict[str, tuple[Any, str, Any]] = {
    # Argument → a value, and the field of the structure that it sets, with the value there
    "encoder": ("residual", "encoder", "residual"),
    "input_shape": ((64, 96, 3), "size", (64, 96)),
    "classes": (5, "channels", 5),
    "encoder_channels": ([4, 8, 8], "widths", (4, 8, 8)),
    "encoder_depth": (3, "depth", 3),
    "decoder_channels": ([8, 4], "decoder_widths", (8, 4)),
    "decoder_interpolation": ("nearest", "upsampling", "nearest"),
    "activation": ("sigmoid", "activation", "sigmoid"),
    "block": ("separable", "block", "separable"),
    "norm": ("group", "norm", "group"),
    "bottleneck": ("attention", "bottleneck", "attention"),
    "attention_heads": (2, "attention_heads", 2),
    "attention_gates": (True, "attention_gates", True),
    "dropout": (0.25, "dropout", 0.25),
    "normalization": ("imagenet", "normalization", "imagenet"),
    "pixel_mean": ([1, 2, 3], "pixel_mean", (1, 2, 3)),
    "pixel_std": ([4, 5, 6], "pixel_std", (4, 5, 6)),
}


@pytest.fixture
def specs(monkeypatch: pytest.MonkeyPatch) -> list[NetworkSpec]:
    """The structures that are asked for; none is built."""
    asked: list[NetworkSpec] = []
    monkeypatch.setattr(architectures, "build_model", lambda spec, **_: asked.append(spec))
    return asked


def test_every_part_of_the_structure_can_be_chosen() -> None:
    assert {field for _, field, _ in OPTIONS.values()} == {field.name for field in fields(NetworkSpec)} - {"arch"}
    every = {*OPTIONS, "encoder_weights"}
    assert set(inspect.signature(Unet).parameters) == set(inspect.signature(UnetPlusPlus).parameters) == every
    assert set(inspect.signature(DeepLabV3Plus).parameters) == every - {"attention_gates", "decoder_interpolation"}


@EVERY
@pytest.mark.parametrize("option", OPTIONS)
def test_a_chosen_option_is_built(arch: str, option: str, specs: list[NetworkSpec]) -> None:
    if option not in inspect.signature(FUNCTIONS[arch]).parameters:
        return
    value, field, expected = OPTIONS[option]
    if arch == "deeplabv3plus" and option == "decoder_channels":
        value, expected = 8, (8,)
    pixels = {"normalization": "dataset", "pixel_mean": (0, 0, 0), "pixel_std": (1, 1, 1)}
    FUNCTIONS[arch](**{**(pixels if option.startswith("pixel") else {}), option: value})
    assert (specs[0].arch, getattr(specs[0], field)) == (arch, expected)


@EVERY
def test_defaults_are_those_of_the_structure(arch: str, specs: list[NetworkSpec]) -> None:
    FUNCTIONS[arch]()
    expected = NetworkSpec(arch=arch, size=(256, 256), channels=1)
    names = [field.name for field in fields(NetworkSpec) if field.name != "decoder_widths"]
    assert [getattr(specs[0], name) for name in names] == [getattr(expected, name) for name in names]
    assert specs[0].resolved_decoder_widths == expected.resolved_decoder_widths


@EVERY
def test_the_documentation_names_every_option_of_its_own(arch: str) -> None:
    text = inspect.getdoc(FUNCTIONS[arch]) or ""
    for name, parameter in inspect.signature(FUNCTIONS[arch]).parameters.items():
        default = parameter.default
        if arch == "unet" or (default is not inspect.signature(Unet).parameters[name].default):
            assert f"\n    {name}: " in text
            if default is not None:
                assert f"Defaults to ``{default}``" in text or f"Defaults to {default:g}" in text or default is False


@pytest.mark.parametrize(
    ("function", "arguments", "kind", "message"),
    [
        (Unet, {"encoder": "resnet33"}, UnknownNameError, "encoder: unknown encoder.*did you mean 'resnet34'"),
        (Unet, {"activation": "softmx"}, UnknownNameError, "activation: unknown activation.*did you mean 'softmax'"),
        (Unet, {"block": "residul"}, UnknownNameError, "block: unknown block.*did you mean 'residual'"),
        (Unet, {"norm": "instance"}, UnknownNameError, "norm: unknown norm 'instance'; expected one of batch, group, "),
        (Unet, {"bottleneck": "asp"}, UnknownNameError, "bottleneck: unknown bottleneck.*did you mean 'aspp'"),
        (Unet, {"normalization": "unity"}, UnknownNameError, "normalization: .*did you mean 'unit'"),
        (Unet, {"decoder_interpolation": "bilinea"}, UnknownNameError, "decoder_interpolation: .* mean 'bilinear'"),
        (Unet, {"input_shape": (250, 256, 3)}, UsageError,
         r"input_shape: the size 250×256 does not divide by 16, .* works: input_shape=\(256, 256, 3\)"),
        (Unet, {"input_shape": (None, None, 3)}, ConfigError, r"input_shape: .*whole numbers .*found \(None, None\)"),
        (Unet, {"input_shape": (32, 32, 1)}, ConfigError, r"input_shape: .*expected \(height, width, 3\); found \(32"),
        (Unet, {"input_shape": 256}, ConfigError, r"input_shape: .*expected \(height, width, 3\); found 256"),
        (Unet, {"classes": 0}, ConfigError, "classes: .*expected a whole number from 1 to 255; found 0"),
        (Unet, {"classes": 2.0}, ConfigError, "classes: .*expected a whole number from 1 to 255; found 2.0"),
        (Unet, {"encoder_channels": 8}, ConfigError, "encoder_channels: .*expected 1 to 6 whole numbers .*found 8"),
        (Unet, {"encoder_channels": []}, ConfigError, r"encoder_channels: .*expected 1 to 6 .*found \(\)"),
        (Unet, {"encoder_depth": 7}, ConfigError, "encoder_depth: .*expected a whole number from 1 to 6; found 7"),
        (Unet, {"encoder_channels": (4, 8), "encoder_depth": 3}, ConfigError,
         "encoder_depth: .*expected 2, as many as there are widths"),
        (Unet, {"encoder": "mobilenetv2", "encoder_channels": (4, 8)}, ConfigError,
         "encoder_channels: the encoder's widths are fixed; .*set decoder_channels instead"),
        (Unet, {"decoder_channels": (4, True)}, ConfigError, "decoder_channels: .*whole numbers"),
        (Unet, {"decoder_channels": (4,) * 6}, ConfigError, "decoder_channels: .*expected 1 to 4 numbers.*found 6"),
        (Unet, {"bottleneck": "attention", "attention_heads": 3}, ConfigError, "attention_heads: .*a divisor of 1024"),
        (Unet, {"attention_gates": "no"}, ConfigError, "attention_gates: .*expected true or false; found 'no'"),
        (Unet, {"dropout": 1.0}, ConfigError, "dropout: .*0 ≤ dropout < 1; found 1.0"),
        (Unet, {"normalization": "dataset"}, ConfigError, "normalization: .*expected both with dataset"),
        (Unet, {"pixel_mean": (1, 2, float("nan"))}, ConfigError, "pixel_mean: .*three numbers"),
        (Unet, {"encoder_weights": "imagenet"}, ConfigError,
         'encoder_weights: there are no .* found \'imagenet\'; choose encoder="mobilenetv2"$'),
        (Unet, {"encoder": "mobilenetv2", "encoder_weights": "imgnet"}, UnknownNameError, "encoder_weights: .* mean"),
        (Unet, {"encoder": "mobilenetv2", "encoder_weights": "none/encoder.h5"}, ArtifactError,
         r"^none/encoder\.h5: no such file"),
        (UnetPlusPlus, {"encoder_channels": (0,)}, ConfigError, "encoder_channels: "),
        (DeepLabV3Plus, {"encoder_depth": 2}, ConfigError, "encoder_depth: .*expected 3 levels or more"),
        (DeepLabV3Plus, {"decoder_channels": (4, 4)}, ConfigError, "decoder_channels: "),
    ],
)  # fmt: skip
def test_mistakes_are_told_by_the_name_of_the_argument(
    function: Any, arguments: dict[str, Any], kind: type[KsegError], message: str
) -> None:
    with pytest.raises(kind, match=message) as caught:
        function(**arguments)
    text = str(caught.value)
    assert len(text.splitlines()) == 1
    assert "model." not in text
    assert "train." not in text
    assert "--" not in text


def test_a_file_of_weights_keeps_its_name() -> None:
    """It may be called as a setting is."""
    with pytest.raises(ArtifactError, match=r"^none/model\.weights\.h5: no such file"):
        Unet("mobilenetv2", encoder_weights="none/model.weights.h5")


def test_a_missing_extra_is_told_in_words_of_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keras_hub", None)
    with pytest.raises(ConfigError, match=r'^encoder: .*pip install \'kseg\[hub\]\', or choose encoder="mobilenetv2"$'):
        Unet("resnet34")


def test_keras_alone_trains_and_saves_them(tmp_path: Path) -> None:
    """In a process that never imports kseg."""
    for arch, function in FUNCTIONS.items():
        function(**SMALL, norm="batch").save(tmp_path / f"{arch}.keras")
    done = subprocess.run(
        [sys.executable, "-I", str(Path(__file__).with_name("scripts") / "plain_side.py"), str(tmp_path)],
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.split() == [f"{arch}.keras" for arch in sorted(FUNCTIONS)]


def test_importing_the_room_loads_no_keras() -> None:
    code = "import sys, kseg.models; print(sorted({'keras', 'tensorflow', 'numpy', 'cv2'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
