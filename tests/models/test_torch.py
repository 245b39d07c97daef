"""Our encoders beside their PyTorch originals: random weights written there, read here, the same features.

Skipped unless ``KSEG_TORCH_PYTHON`` names a Python that has torch, torchvision, timm and safetensors.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from kseg.models import NetworkSpec
from kseg.models.encoders.encode import encode
from tests.torch_python import run_torch

SIZE = (64, 96)
FILES = [
    "resnet18.pth", "resnet34.pth", "resnet50.pth", "vgg11.pth", "vgg16.pth", "resnet34_timm.safetensors",
    "resnet50_folder", "efficientnet_lite0_folder", "tf_efficientnet_lite0_plain.pth",
    "tf_efficientnet_lite2_plain.pth", "tf_efficientnet_b0_timm.safetensors", "efficientnet_b0_timm.safetensors",
]  # fmt: skip


@pytest.fixture(autouse=True)
def _forget_networks() -> Any:
    yield
    keras.backend.clear_session()


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("torch")
    np.save(folder / "images.npy", images())
    run_torch(
        Path(__file__).with_name("scripts") / "torch_side.py", folder / "images.npy", folder,
        needs="torch, torchvision, timm and safetensors",
    )  # fmt: skip
    return folder


def images() -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 255, (2, *SIZE, 3)).astype(np.float32)


def features(encoder: str, weights: str | None) -> dict[str, np.ndarray]:
    """Of the raw images, by stride, scaled as the torch side does it."""
    spec = NetworkSpec(size=SIZE, channels=1, encoder=encoder, normalization="imagenet")
    image = keras.Input((*SIZE, 3))
    scale, offset = spec.rescaling
    found = encode(keras.layers.Rescaling(list(scale), list(offset))(image), spec, weights)
    outputs = keras.Model(image, list(found.values()))(images(), training=False)
    return {str(stride): np.asarray(one) for stride, one in zip(found, outputs, strict=True)}


@pytest.mark.parametrize("name", FILES)
def test_the_features_are_the_originals(name: str, theirs: Path) -> None:
    stem = name.partition(".")[0]
    expected = np.load(theirs / f"{stem}.npz")
    found = features(re.sub("_(folder|timm|plain)$", "", stem), str(theirs / name))
    assert set(found) == set(expected)
    for stride, original in expected.items():
        largest = np.abs(original).max()
        assert original.std() > 0.01 * largest, "features that say nothing"
        np.testing.assert_allclose(found[stride], original, rtol=0, atol=1e-5 * largest, err_msg=stride)
