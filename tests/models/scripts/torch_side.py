"""The PyTorch originals of our encoders, for test_torch.py: run by a Python with torch, torchvision, timm, safetensors.

    python torch_side.py images.npy OUT

For each network: random weights, and random statistics of its normalisations, as OUT/NAME.pth (or .safetensors, or a
folder as timm publishes it), and OUT/NAME.npz with the features of the images, stride → ``[B, H, W, C]``.
"""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import nn


def declare_operators() -> None:
    """torchvision has no CPU build on the package index; its usual one imports once what it lacks is declared."""
    spec = importlib.util.find_spec("torchvision")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    source = (Path(spec.submodule_search_locations[0]) / "_meta_registrations.py").read_text()
    names = re.findall(r'register_fake\("torchvision::(\w+)"', source) + re.findall(r'register_meta\("(\w+)"', source)
    for name in sorted(set(names)):
        LIBRARY.define(f"{name}(Tensor x) -> Tensor")


LIBRARY = torch.library.Library("torchvision", "DEF")
declare_operators()

import timm  # noqa: E402
import torchvision  # noqa: E402
from safetensors.torch import save_file  # noqa: E402

Features = Iterator[tuple[int, torch.Tensor]]


def randomise(network: nn.Module) -> nn.Module:
    """Every weight and every statistic, so that none can be mixed up unseen."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
            if module.bias is not None:
                nn.init.normal_(module.bias, std=0.1)
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.0)
            nn.init.normal_(module.bias, std=0.2)
            nn.init.normal_(module.running_mean, std=0.2)
            nn.init.uniform_(module.running_var, 0.7, 1.5)
    return network.eval()


def resnet(network: nn.Module, x: torch.Tensor) -> Features:
    """After the first activation, then after each stage."""
    x = nn.functional.relu(network.bn1(network.conv1(x)))
    yield 2, x
    x = network.maxpool(x)
    for number in range(1, 5):
        x = getattr(network, f"layer{number}")(x)
        yield 2 ** (number + 1), x


def vgg(network: nn.Module, x: torch.Tensor) -> Features:
    """Before each pooling, and after the last."""
    stride = 1
    for layer in network.features:
        if isinstance(layer, nn.MaxPool2d):
            yield stride, x
            stride *= 2
        x = layer(x)
    yield stride, x


def efficientnet(network: nn.Module, x: torch.Tensor) -> Features:
    """The last of each size, and the last of all."""
    x = network.bn1(network.conv_stem(x))
    for number, stage in enumerate(network.blocks):
        x = stage(x)
        if number in (0, 1, 2, 4):
            yield {0: 2, 1: 4, 2: 8, 4: 16}[number], x
    yield 32, network.bn2(network.conv_head(x))


def as_efficientnet_pytorch(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """timm's names → EfficientNet-PyTorch's, whose blocks are counted through and whose parts all have one name."""
    blocks = list(dict.fromkeys(".".join(name.split(".")[:3]) for name in state if name.startswith("blocks.")))
    ends = {"conv_stem": "_conv_stem", "bn1": "_bn0", "conv_head": "_conv_head", "bn2": "_bn1", "classifier": "_fc"}
    wide = {"conv_pw": "_expand_conv", "bn1": "_bn0", "conv_dw": "_depthwise_conv", "bn2": "_bn1",
            "conv_pwl": "_project_conv", "bn3": "_bn2"}  # fmt: skip
    first = {"conv_dw": "_depthwise_conv", "bn1": "_bn1", "conv_pw": "_project_conv", "bn2": "_bn2"}

    def rename(name: str) -> str:
        *place, part, leaf = name.split(".")
        if not place:
            return f"{ends[part]}.{leaf}"
        block = ".".join(place)
        return f"_blocks.{blocks.index(block)}.{(wide if f'{block}.bn3.weight' in state else first)[part]}.{leaf}"

    return {rename(name): values for name, values in state.items()}


def small_head(network: nn.Module) -> nn.Module:
    """The classifier of a VGG is nine tenths of it."""
    network.classifier = nn.Sequential(nn.Linear(8, 4))
    return network


def save(network: nn.Module, out: Path, name: str) -> None:
    """By the library that publishes it in that form; the VGGs of torchvision are still in the older one."""
    state = network.state_dict()
    kind = name.rpartition("_")[2]
    if kind == "timm":
        save_file(state, out / f"{name}.safetensors")
    elif kind == "folder":
        (out / name).mkdir()
        save_file(state, out / name / "model.safetensors")
        facts = {"architecture": name.removesuffix("_folder"), "num_classes": 5, "pretrained_cfg": {"num_classes": 5}}
        (out / name / "config.json").write_text(json.dumps(facts))
    elif kind == "plain":
        torch.save(as_efficientnet_pytorch(state), out / f"{name}.pth")
    else:
        torch.save(state, out / f"{name}.pth", _use_new_zipfile_serialization=not name.startswith("vgg"))


def main(images: Path, out: Path) -> None:
    torch.manual_seed(0)
    pixels = torch.from_numpy(np.load(images)).permute(0, 3, 1, 2) / 255
    mean, std = (torch.tensor(three)[:, None, None] for three in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
    x = (pixels - mean) / std
    models, timm_model = torchvision.models, timm.create_model
    cases: dict[str, tuple[nn.Module, Callable[[nn.Module, torch.Tensor], Features]]] = {
        **{name: (getattr(models, name)(num_classes=5), resnet) for name in ("resnet18", "resnet34", "resnet50")},
        **{name: (small_head(getattr(models, name)(init_weights=False)), vgg) for name in ("vgg11", "vgg16")},
        "resnet34_timm": (timm_model("resnet34", num_classes=5), resnet),
        "resnet50_folder": (timm_model("resnet50", num_classes=5), resnet),
        "efficientnet_lite0_folder": (timm_model("efficientnet_lite0", num_classes=5), efficientnet),
        # Padded and normalised as TensorFlow does it, where EfficientNet-PyTorch's weights come from.
        "tf_efficientnet_lite0_plain": (timm_model("tf_efficientnet_lite0", num_classes=5), efficientnet),
        "tf_efficientnet_lite2_plain": (timm_model("tf_efficientnet_lite2", num_classes=5), efficientnet),
        "tf_efficientnet_b0_timm": (timm_model("tf_efficientnet_b0", num_classes=5), efficientnet),
        "efficientnet_b0_timm": (timm_model("efficientnet_b0", num_classes=5), efficientnet),
    }
    for name, (network, features) in cases.items():
        save(randomise(network), out, name)
        with torch.no_grad():
            found = {str(stride): f.permute(0, 2, 3, 1).clone().numpy() for stride, f in features(network, x)}
        np.savez(out / f"{name}.npz", **found)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
