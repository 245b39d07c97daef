"""The PyTorch process of bench_networks.py. It runs in a Python with segmentation_models_pytorch and without kseg.

Reads one line of JSON (the network), then answers each line ``[name, seconds]`` with the measured number: images/s of
training in the precision ``float32`` or ``bfloat16``, milliseconds of inference for ``ms``.
"""

from __future__ import annotations

import importlib.util
import json
import re
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any


def declare_torchvision_operators() -> Any:
    """Declare the operators that torchvision's default build refers to and PyTorch's CPU build lacks.

    Otherwise importing torchvision fails. Returns the library, which must be kept alive.
    """
    import torch

    spec = importlib.util.find_spec("torchvision")
    if spec is None or not spec.submodule_search_locations or torch.cuda.is_available():
        return None
    with open(f"{spec.submodule_search_locations[0]}/_meta_registrations.py", encoding="utf-8") as file:
        source = file.read()
    library = torch.library.Library("torchvision", "DEF")
    for name in sorted(set(re.findall(r'register_(?:fake|meta)\("(?:torchvision::)?(\w+)"', source))):
        library.define(f"{name}(Tensor x) -> Tensor")
    return library


def classic_unet(widths: list[int]) -> Any:
    """kseg's plain U-Net with batch normalisation, layer for layer."""
    import torch
    from torch import nn

    def block(inputs: int, width: int) -> Any:
        layers: list[Any] = []
        for channels in (inputs, width):
            layers += [nn.Conv2d(channels, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(True)]
        return nn.Sequential(*layers)

    class UNet(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.down = nn.ModuleList([block(i, o) for i, o in zip([3, *widths], widths, strict=False)])
            self.bottom = block(widths[-1], 2 * widths[-1])
            self.up = nn.ModuleList([nn.ConvTranspose2d(2 * w, w, 2, stride=2) for w in widths[::-1]])
            self.join = nn.ModuleList([block(2 * w, w) for w in widths[::-1]])
            self.head = nn.Conv2d(widths[0], 1, 1)

        def forward(self, x: Any) -> Any:
            skips = []
            for layer in self.down:
                x = layer(x)
                skips.append(x)
                x = nn.functional.max_pool2d(x, 2)
            x = self.bottom(x)
            for up, join in zip(self.up, self.join, strict=True):
                x = join(torch.cat([skips.pop(), up(x)], 1))
            return self.head(x)

    return UNet()


def build(name: str) -> Any:
    """Build the network of this name: ``unet``, or smp's U-Net with the encoder of this name."""
    if name == "unet":
        return classic_unet([16, 32, 64, 128])
    library = declare_torchvision_operators()
    import segmentation_models_pytorch as smp

    model = smp.Unet(name, encoder_weights=None, classes=1)
    model._torchvision_library = library  # keeps it alive
    return model


def main() -> None:
    """Answer the lines of stdin until it ends."""
    import torch

    job = json.loads(sys.stdin.readline())
    model = build(job["network"]).to(memory_format=torch.channels_last)
    images = torch.rand(job["batch"], 3, *job["size"]).to(memory_format=torch.channels_last)
    truth = (images[:, :1] > 0.5).float()
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3, weight_decay=1e-4)
    loss = torch.nn.BCEWithLogitsLoss()

    def step(mixed: bool) -> None:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
            logits = model(images)
        loss(logits.float(), truth).backward()
        optimizer.step()

    def infer() -> None:
        with torch.inference_mode():
            model(images[:1])

    def rate(call: Callable[[], None], seconds: float) -> float:
        call()
        begin, done = time.perf_counter(), 0
        while time.perf_counter() - begin < seconds:
            call()
            done += 1
        return done / (time.perf_counter() - begin)

    for line in sys.stdin:
        name, seconds = json.loads(line)
        model.train(name != "ms")
        if name == "ms":
            number = 1000 / rate(infer, seconds)
        else:
            number = job["batch"] * rate(partial(step, name == "bfloat16"), seconds)
        print(json.dumps(number), flush=True)


if __name__ == "__main__":
    main()
