"""The PyTorch side of bench_networks.py, in a Python that has segmentation_models_pytorch; no kseg.

Reads one line of JSON (the network), then answers each further line, what and how long, with what it measured.
"""

from __future__ import annotations

import importlib.util
import json
import re
import sys
import time
from collections.abc import Callable
from typing import Any


def declare_torchvision_operators() -> Any:
    """Let torchvision's usual build be imported beside PyTorch's CPU build, which lacks operators that it names."""
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
    """The network by its name."""
    if name == "unet":
        return classic_unet([16, 32, 64, 128])
    library = declare_torchvision_operators()
    import segmentation_models_pytorch as smp

    model = smp.Unet(name, encoder_weights=None, classes=1)
    model._kept = library
    return model


def main() -> None:
    """Answer until the input ends."""
    import torch

    work = json.loads(sys.stdin.readline())
    model = build(work["network"]).to(memory_format=torch.channels_last)
    images = torch.rand(work["batch"], 3, *work["size"]).to(memory_format=torch.channels_last)
    truth = (images[:, :1] > 0.5).float()
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3, weight_decay=1e-4)
    loss = torch.nn.BCEWithLogitsLoss()

    def step(mixed: bool) -> None:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
            out = model(images)
        loss(out.float(), truth).backward()
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
        what, seconds = json.loads(line)
        model.train(what != "ms")
        if what == "ms":
            answer = 1000 / rate(infer, seconds)
        else:
            answer = work["batch"] * rate(lambda mixed=what == "bfloat16": step(mixed), seconds)  # type: ignore[misc]
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
