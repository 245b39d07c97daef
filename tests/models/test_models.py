"""One suite for every network; then what only one of them has."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any
from urllib.error import URLError

import keras
import numpy as np
import pytest
import tensorflow as tf

from kseg.card import ModelCard, write_card
from kseg.errors import ArtifactError, ConfigError, OutputError, UnknownNameError, UsageError
from kseg.labels import LabelMap
from kseg.models import ENCODERS, NetworkSpec, build_model, load_model, save_model
from kseg.models.encoders.encode import encode
from tests.limits import files_up_to

SMALL: dict[str, Any] = {"size": (32, 48), "widths": (4, 8), "channels": 1}
BINARY = LabelMap(("background", "x"))
CARD = ModelCard("x", "unet/plain", 32, 48, BINARY)
PIXELS: dict[str, Any] = {"pixel_mean": (120.5, 80.25, 60.0), "pixel_std": (50.0, 25.5, 4.0)}
NETWORKS: dict[str, dict[str, Any]] = {
    "plain": {},
    "batch": {"norm": "batch"},
    "group": {"norm": "group", "widths": (4, 6)},
    "layer": {"norm": "layer"},
    "bilinear": {"upsampling": "bilinear"},
    "nearest": {"upsampling": "nearest", "dropout": 0.5},
    "softmax": {"channels": 3, "decoder_widths": (8, 4)},
    "scaled up": {"decoder_widths": (8,)},
    "u-net++ scaled up": {"arch": "unetplusplus", "widths": (4, 4, 8), "decoder_widths": (8, 4)},
    "unit": {"normalization": "unit"},
    "dataset": {"normalization": "dataset", **PIXELS},
    "sigmoid": {"channels": 3, "activation": "sigmoid"},
    "residual": {"encoder": "residual"},
    "residual decoder": {"block": "residual", "norm": "batch"},
    "separable": {"block": "separable", "norm": "batch"},
    "no bottleneck": {"bottleneck": "none"},
    "attention": {"bottleneck": "attention", "attention_heads": 2},
    "aspp": {"bottleneck": "aspp", "norm": "batch"},
    "gates": {"attention_gates": True},
    "u-net++": {"arch": "unetplusplus"},
    "u-net++ with gates": {"arch": "unetplusplus", "attention_gates": True, "widths": (4, 4, 8)},
    "deeplabv3+": {"arch": "deeplabv3plus", "widths": (4, 4, 8), "decoder_widths": (8,), "block": "separable"},
    **{
        # MiT's attention needs more than one position to look at.
        name: {"encoder": name, "widths": None, "size": (64, 96) if name == "mit_b0" else (32, 64),
               "decoder_widths": (8, 8, 4, 4, 4)}
        for name, encoder in ENCODERS.items()
        if encoder.fixed
    },
    "mobilenetv2 u-net++": {
        "encoder": "mobilenetv2", "widths": None, "size": (64, 32), "arch": "unetplusplus", "decoder_widths": (4,) * 5,
    },
    "mit_b0 u-net++": {
        "encoder": "mit_b0", "widths": None, "size": (64, 64), "arch": "unetplusplus", "decoder_widths": (4,) * 5,
    },
    "mobilenetv2 deeplabv3+": {
        "encoder": "mobilenetv2", "widths": None, "size": (64, 32), "arch": "deeplabv3plus", "decoder_widths": (8,),
    },
}  # fmt: skip


@pytest.fixture(autouse=True)
def _forget_networks() -> Any:
    yield
    keras.backend.clear_session()


def images(spec: NetworkSpec, count: int = 2) -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 255, (count, *spec.size, 3)).astype(np.float32)


def spec_of(name: str) -> NetworkSpec:
    return NetworkSpec(**{**SMALL, **NETWORKS[name]})


Network = tuple[NetworkSpec, keras.Model]


@pytest.fixture(scope="class", params=list(NETWORKS))
def network(request: pytest.FixtureRequest) -> Network:
    """Built once for all tests of the suite, since the borrowed ones are large."""
    keras.utils.set_random_seed(1)
    spec = spec_of(request.param)
    return spec, build_model(spec)


class TestEveryNetwork:
    def test_scores_have_the_images_size_and_are_probabilities(self, network: Network) -> None:
        spec, model = network
        scores = np.asarray(model(images(spec), training=False))
        assert scores.shape == (2, *spec.size, spec.channels)
        assert scores.dtype == np.float32
        assert scores.min() >= 0
        assert scores.max() <= 1
        if spec.channels > 1:
            assert np.allclose(scores.sum(-1), 1, rtol=1e-5) == (spec.activation == "softmax")

    def test_it_loads_in_plain_keras(self, network: Network, tmp_path: Path) -> None:
        """No custom object: whoever has Keras can use the file without kseg, and gets the same scores."""
        spec, model = network
        model.save(tmp_path / "m.keras")
        config = zipfile.ZipFile(tmp_path / "m.keras").read("config.json").decode()
        assert "kseg" not in config
        assert "keras_hub" not in config
        assert '"registered_name": "Custom' not in config
        loaded = keras.saving.load_model(tmp_path / "m.keras", compile=False, safe_mode=True)
        np.testing.assert_allclose(loaded(images(spec)), model(images(spec)), atol=1e-6)

    def test_every_weight_gets_a_gradient(self, network: Network) -> None:
        spec, model = network
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(model(images(spec), training=True) - 0.9))
        gradients = tape.gradient(loss, [weight.value for weight in model.trainable_weights])
        named = zip(model.trainable_weights, gradients, strict=True)
        lost = [w.path for w, gradient in named if gradient is None or not np.any(gradient)]
        # Softmax over keys forgets what is added to all of them alike.
        assert [path for path in lost if not path.endswith("attention/key/bias")] == []

    def test_the_encoder_can_be_told_from_the_rest(self, network: Network) -> None:
        """By name; and the names are the same whatever was built before."""
        spec, model = network
        names = [layer.name for layer in model.layers]
        assert any(name.startswith("encoder") for name in names)
        assert not any(name.startswith("encoder") for name in names[names.index("logits") :])
        assert names == [layer.name for layer in build_model(spec).layers]


@pytest.mark.parametrize("name", [n for n, s in NETWORKS.items() if "encoder" not in s] + ["mobilenetv2", "mit_b0"])
def test_the_saved_network_is_the_trained_one(name: str, tmp_path: Path) -> None:
    """Trained in mixed precision on logits; saved in float32, ending in the activation; loaded elsewhere."""
    spec = spec_of(name)
    trained = build_model(spec, logits=True, precision="mixed_bfloat16")
    saved = build_model(spec)
    saved.set_weights(trained.get_weights())
    labels = BINARY if spec.channels == 1 else LabelMap(("a", "b", "c"))
    card = ModelCard("x", "unet", *spec.size, labels)
    save_model(saved, tmp_path / "m.keras", card)
    loaded, found = load_model(tmp_path / "m.keras")
    assert found == card
    np.testing.assert_allclose(loaded(images(spec)), saved(images(spec)), atol=1e-6)
    assert {layer.compute_dtype for layer in loaded.layers} == {"float32"}


@pytest.mark.parametrize("name", [name for name, encoder in ENCODERS.items() if encoder.fixed])
def test_the_table_tells_an_encoders_features(name: str) -> None:
    spec = NetworkSpec(size=(64, 32), channels=1, encoder=name)
    image = keras.Input((64, 32, 3))
    features = encode(image, spec, None)
    assert keras.Model(image, list(features.values())).count_params() == ENCODERS[name].parameters
    found = {stride: tuple(x.shape[1:]) for stride, x in features.items()}
    assert found == {s: (64 // s, 32 // s, channels) for s, channels in ENCODERS[name].pyramid.items()}


def test_the_classic_unet_is_the_papers() -> None:
    """Ronneberger et al. 2015: 64 … 512 with a bottleneck of 1024, 31.0 M parameters with padded convolutions."""
    model = build_model(NetworkSpec(size=(64, 64), channels=1))
    widths = [layer.filters for layer in model.layers if "conv" in layer.name and layer.name.startswith("encoder")]
    assert widths == [64, 64, 128, 128, 256, 256, 512, 512]
    assert model.get_layer("bottleneck_2_conv").filters == 1024
    assert [layer.filters for layer in model.layers if layer.name.endswith("_up")] == [512, 256, 128, 64]
    assert model.count_params() == 31_031_745


@pytest.mark.parametrize(
    ("depth", "widths"), [(None, (64, 128, 256, 512)), (2, (64, 128)), (5, (64, 128, 256, 512, 1024))]
)
def test_depth_doubles_the_widths(depth: int | None, widths: tuple[int, ...]) -> None:
    spec = NetworkSpec(size=(32, 32), channels=1, depth=depth)
    assert (spec.resolved_widths, spec.stride) == (widths, 2 ** len(widths))


@pytest.mark.parametrize(
    ("name", "pixel", "expected"),
    [("unit", 255.0, 1.0), ("symmetric", 0.0, -1.0), ("symmetric", 255.0, 1.0), ("imagenet", 123.675, 0.0)],
)
def test_raw_pixels_are_scaled_inside_the_network(name: str, pixel: float, expected: float) -> None:
    spec = NetworkSpec(**{**SMALL, "normalization": name})
    scaled = np.asarray(build_model(spec).get_layer("normalize")(np.full((1, 1, 1, 3), pixel, np.float32)))
    assert scaled[0, 0, 0, 0] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("encoder", ["plain", "mobilenetv2"])
def test_the_encoder_says_how_pixels_are_scaled_where_the_user_does_not(encoder: str) -> None:
    widths = {} if encoder == "mobilenetv2" else {"widths": (4,)}
    assert NetworkSpec(size=(32, 32), channels=1, encoder=encoder, **widths).scaling == "symmetric"
    assert (
        NetworkSpec(size=(32, 32), channels=1, encoder=encoder, normalization="imagenet", **widths).scaling
        == "imagenet"
    )


def test_the_datasets_own_scaling_gives_mean_0_and_deviation_1() -> None:
    rng = np.random.default_rng(0)
    images = rng.uniform(0, 1, (4, 32, 48, 3)).astype(np.float32) * np.array([255, 60, 10], np.float32)
    flat = images.reshape(-1, 3).astype(np.float64)
    spec = NetworkSpec(
        **SMALL, normalization="dataset", pixel_mean=tuple(flat.mean(0).tolist()), pixel_std=tuple(flat.std(0).tolist())
    )
    scaled = np.asarray(build_model(spec).get_layer("normalize")(images)).reshape(-1, 3)
    np.testing.assert_allclose(scaled.mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(scaled.std(0), 1, rtol=1e-4)


def test_a_channel_that_never_varies_is_not_blown_up() -> None:
    spec = NetworkSpec(**SMALL, normalization="dataset", pixel_mean=(7.0, 7.0, 7.0), pixel_std=(0.0, 0.0, 0.0))
    scaled = np.asarray(build_model(spec).get_layer("normalize")(np.full((1, 32, 48, 3), 9, np.float32)))
    np.testing.assert_allclose(scaled, 2.0)


@pytest.mark.parametrize(
    ("size", "near"), [((100, 96), "96 96"), ((97, 120), "96 128"), ((1, 16), "16 16"), ((104, 16), "112 16")]
)
def test_a_size_that_does_not_divide_names_the_nearest_that_does(size: tuple[int, int], near: str) -> None:
    with pytest.raises(UsageError) as caught:
        NetworkSpec(size=size, channels=1)
    assert str(caught.value) == (
        f"train.imgsz: the size {size[0]}×{size[1]} does not divide by 16, as this network's 4 poolings need; "
        f"the nearest size that works: --imgsz {near}"
    )
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"encoder": "plian"}, "model.encoder: unknown encoder 'plian'; .* did you mean 'plain'"),
        ({"arch": "unett"}, "model.arch: unknown architecture 'unett'; .* did you mean 'unet'"),
        ({"normalization": "imagnet"}, "did you mean 'imagenet'"),
    ],
)
def test_misspelt_names_get_suggestions(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UnknownNameError, match=message):
        NetworkSpec(**{**SMALL, **settings})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"encoder": "mobilenetv2"}, "model.widths: the encoder's widths are fixed"),
        ({"normalization": "dataset"}, "model.normalization: the mean and .* expected both with dataset, none with"),
        ({"normalization": "unit", **PIXELS}, "expected both with dataset, none with any other; found unit"),
        ({"normalization": "dataset", "pixel_mean": (1.0, 2.0, 3.0)}, "expected both with dataset"),
        ({"encoder": "mobilenetv2", "widths": None, "depth": 3}, "model.depth: the encoder's widths are fixed"),
        ({"depth": 3}, "model.depth: the depth contradicts the widths; expected 2"),
        ({"decoder_widths": (1, 2, 3)}, "expected 1 to 2 numbers, one for each step up; found 3"),
    ],
)
def test_contradictions_are_told(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        NetworkSpec(**{**SMALL, "size": (32, 32), **settings})


@pytest.mark.parametrize("name", NETWORKS)
def test_a_structure_survives_json(name: str) -> None:
    spec = spec_of(name)
    assert NetworkSpec.from_json(json.loads(json.dumps(spec.to_json())), where="m.keras") == spec


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": [32]}, r"train.imgsz: not a valid value; expected \(height, width\).*found \(32,\)"),
        ({"size": "32"}, "train.imgsz: not a valid value"),
        ({"channels": 1.5}, "model.channels: not a valid value; expected a whole number"),
        ({"channels": None}, "model.channels: not a valid value"),
        ({"widths": [4, "8"]}, "model.widths: not a valid value"),
        ({"widths": {"4": 8}}, "model.widths: not a valid value"),
        ({"decoder_widths": [4, 10**9]}, "model.decoder_widths: not a valid value"),
        ({"encoder": None}, "model.encoder: unknown encoder 'None'"),
        ({"arch": ["unet"]}, "model.arch: unknown architecture"),
        ({"attention_gates": 0}, "model.attention_gates: not a valid value"),
        ({"dropout": "0"}, "model.dropout: not a valid value"),
        ({"pixel_std": [1, 2, -3]}, "model.pixel_std: not a valid value"),
        ({"head": "softmax"}, "unexpected keyword argument 'head'"),
    ],
)
def test_no_structure_is_read_from_nonsense(change: dict[str, Any], message: str) -> None:
    data = {**NetworkSpec(**SMALL).to_json(), **change}
    expected = f"^m.keras: the structure of the network cannot be read; found .*{message}"
    with pytest.raises(ArtifactError, match=expected):
        NetworkSpec.from_json(data, where="m.keras")


def test_the_plain_encoder_has_no_pretrained_weights() -> None:
    with pytest.raises(ConfigError, match=r"no pretrained weights for this encoder.*choose --encoder mobilenetv2"):
        build_model(NetworkSpec(**SMALL), weights="imagenet")


def test_a_wrong_weight_file_is_an_error_not_a_random_start(tmp_path: Path) -> None:
    path = tmp_path / "w.h5"
    path.write_text("no weights")
    spec = NetworkSpec(size=(32, 32), channels=1, encoder="mobilenetv2")
    with pytest.raises(ArtifactError, match=r"w\.h5: the file cannot be read; expected weights as Keras writes them"):
        build_model(spec, weights=path)


@pytest.mark.parametrize("weights", [None, "imagenet"])
def test_a_network_that_cannot_be_built_is_no_matter_of_its_weights(
    weights: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def build(**settings: object) -> None:
        raise ValueError(f"no such layer (weights {settings['weights']})")

    monkeypatch.setattr(keras.applications, "MobileNetV2", build)
    with pytest.raises(ValueError, match=r"no such layer \(weights None\)"):
        build_model(NetworkSpec(size=(64, 64), channels=1, encoder="mobilenetv2"), weights=weights)


def test_a_download_that_fails_is_told_with_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fail(*_: Any) -> None:
        raise URLError("no such host")

    monkeypatch.setattr("keras.src.utils.file_utils.urlretrieve", fail)
    monkeypatch.setattr("keras.src.utils.file_utils.config.keras_home", lambda: str(tmp_path))
    spec = NetworkSpec(size=(32, 32), channels=1, encoder="mobilenetv2")
    with pytest.raises(ArtifactError, match=r"weights cannot be loaded; .*no such host\); offline, name a M"):
        build_model(spec, weights="imagenet")


def test_real_imagenet_weights_are_taken() -> None:
    folder = os.environ.get("KSEG_WEIGHTS")
    if not folder:
        pytest.skip("needs real weights: set KSEG_WEIGHTS")
    path = next(Path(folder).glob("mobilenet_v2*no_top.h5"))
    spec = NetworkSpec(size=(64, 64), channels=1, encoder="mobilenetv2")
    kernel = build_model(spec, weights=path).get_layer("encoder_Conv1").kernel
    reference = keras.applications.MobileNetV2(input_shape=(96, 96, 3), include_top=False, weights=str(path))
    np.testing.assert_array_equal(kernel, reference.get_layer("Conv1").kernel)


def test_the_page_of_encoders_is_up_to_date() -> None:
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, root / "tools" / "make_encoder_docs.py", "--check"],
        capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": str(root)},
    )  # fmt: skip
    assert (done.returncode, done.stdout.strip()) == (0, "encoders.md is up to date"), done.stderr


def test_building_leaves_the_callers_precision_alone() -> None:
    build_model(NetworkSpec(**SMALL), precision="mixed_bfloat16")
    assert keras.config.dtype_policy().name == "float32"


class TestFiles:
    def save(self, path: Path) -> None:
        save_model(build_model(NetworkSpec(**SMALL)), path, CARD)

    def test_a_truncated_file_is_told(self, tmp_path: Path) -> None:
        path = tmp_path / "m.keras"
        self.save(path)
        path.write_bytes(path.read_bytes()[:-2000])
        with pytest.raises(ArtifactError, match=r"the model is corrupt; expected a \.keras file that is whole"):
            load_model(path)

    def test_damaged_weights_behind_a_good_card_are_told(self, tmp_path: Path) -> None:
        path = tmp_path / "m.keras"
        path.touch()
        write_card(path, CARD)
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr("config.json", "{}")
            archive.writestr("metadata.json", "{}")
        with pytest.raises(ArtifactError, match=r"m\.keras: the model cannot be loaded"):
            load_model(path)

    def test_a_card_of_another_network_is_told(self, tmp_path: Path) -> None:
        path = tmp_path / "m.keras"
        save_model(build_model(NetworkSpec(**SMALL)), path, ModelCard("x", "unet", 64, 48, BINARY))
        with pytest.raises(ArtifactError, match="contradicts its card; expected 64×48×3 → 64×48×1"):
            load_model(path)

    def test_code_in_a_file_is_not_run(self, tmp_path: Path) -> None:
        """A Lambda layer holds marshalled Python; safe mode refuses it."""
        image = keras.Input((32, 48, 3))
        scores = keras.layers.Lambda(lambda x: x[..., :1])(image)
        save_model(keras.Model(image, scores), tmp_path / "m.keras", CARD)
        with pytest.raises(ArtifactError, match="the model holds Python code, which kseg does not run"):
            load_model(tmp_path / "m.keras")

    def test_a_full_disk_leaves_the_earlier_checkpoint(self, tmp_path: Path) -> None:
        path = tmp_path / "m.keras"
        self.save(path)
        before = path.read_bytes()
        message = r"m\.keras: cannot write the file.*the earlier file is untouched"
        with files_up_to(4096), pytest.raises(OutputError, match=message):
            self.save(path)
        assert path.read_bytes() == before
        assert [p.name for p in tmp_path.iterdir()] == ["m.keras"]
