"""What can be had for an encoder, told by name before anything is loaded."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from kseg.errors import ConfigError, UnknownNameError
from kseg.models import ENCODERS
from kseg.models.weights import source
from kseg.models.weights.source import check_source


@pytest.mark.parametrize(
    ("encoder", "weights"),
    [
        ("plain", None), ("resnet18", None), ("mobilenetv2", "imagenet"), ("resnet34", "imagenet"),
        ("resnet18", "resnet_18_imagenet"), ("mit_b0", "mit_b0_ade20k_512"), ("vgg16", "hf://timm/vgg16.tv_in1k"),
        ("mobilenetv2", Path("w.h5")), ("vgg11", Path("/x/vgg11.pth")), ("resnet50", Path("m.safetensors")),
        ("resnet50", Path("m.WEIGHTS.H5")), ("mit_b0", Path("m.weights.h5")), ("resnet18", "w.pth"),
        ("efficientnet_b0", Path("w.safetensors")), ("resnet34", "hf://timm/resnet34.a1_in1k"),
        ("tf_efficientnet_lite2", Path("w.pth")),
    ],
)  # fmt: skip
def test_what_can_be_had_is_silent(encoder: str, weights: str | Path | None) -> None:
    check_source(encoder, weights)


@pytest.mark.parametrize(
    ("encoder", "weights", "message"),
    [
        ("plain", "imagenet", "no pretrained weights for this encoder; expected none with encoder plain"),
        ("residual", Path("w.h5"), "no pretrained weights .*or start from a model of kseg: model.start"),
        ("mobilenetv2", "hf://timm/x", r"expected a file \.h5, \.keras with encoder mobilenetv2; found hf://timm/x"),
        ("mobilenetv2", Path("w.pth"), r"these are no weights for this encoder; expected a file \.h5, \.keras"),
        ("resnet18", Path("w.txt"), r"expected a handle or folder of KerasHub, or a file \.h5, "),
        ("tf_efficientnet_b0", "imagenet", r"expected a file \.h5, .*; found imagenet; see docs/encoders\.md"),
        ("tf_efficientnet_b0", "hf://timm/tf_efficientnet_b0.in1k", r"no weights for this encoder; expected a file"),
        ("mit_b0", Path("w.pth"), "these are no weights for this encoder"),
    ],
)
def test_what_cannot_be_had_is_told(encoder: str, weights: str | Path, message: str) -> None:
    with pytest.raises(ConfigError, match=f"^model.weights: .*{message}"):
        check_source(encoder, weights)


@pytest.mark.parametrize(
    ("encoder", "weights", "message"),
    [
        ("resnet18", "resnet_50_imagenet", "unknown weights of resnet18 'resnet_50_imagenet'; expected one of imag"),
        ("resnet18", "resnet_18_imagnet", "did you mean 'resnet_18_imagenet'"),
        ("mit_b0", "imagenet", "expected one of mit_b0_ade20k_512, mit_b0_cityscapes_1024"),
        ("mobilenetv2", "resnet_18_imagenet", "expected one of imagenet"),
    ],
)
def test_other_networks_presets_are_told(encoder: str, weights: str, message: str) -> None:
    with pytest.raises(UnknownNameError, match=message):
        check_source(encoder, weights)


@pytest.mark.parametrize(
    ("encoder", "weights"), [("resnet18", None), ("vgg11", "imagenet"), ("mit_b0", "mit_b0_ade20k_512")]
)
def test_a_missing_extra_is_told(encoder: str, weights: str | Path | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"model\.encoder: the encoder or its weights .*pip install 'kseg\[hub\]'"):
        check_source(encoder, weights)
    check_source("mobilenetv2", "imagenet")
    check_source("mit_b0", None)


def test_presets_are_keras_hubs() -> None:
    models = pytest.importorskip("keras_hub").models
    kinds = {"resnet": "ResNet", "vgg": "VGG", "efficientnet": "EfficientNet", "mit": "MiT"}
    for name, encoder in ENCODERS.items():
        for preset in encoder.presets:
            kind = next(kind for prefix, kind in kinds.items() if name.startswith(prefix))
            assert preset in getattr(models, f"{kind}Backbone").presets
    assert "keras_hub" in sys.modules
