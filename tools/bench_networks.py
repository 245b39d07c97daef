"""Training images/s and inference ms of networks, beside segmentation_models.pytorch on the same device.

    python tools/bench_networks.py [--torch-python ~/torch/bin/python] [--keras] [--rounds 3]
        [--precision float32] [--network unet …]

Training repeats a compiled step (loss, gradients, AdamW) on one batch in memory. Inference predicts one image at a
time, by a compiled graph in Keras, by eager mode in PyTorch. Both run in float32 and in bfloat16 (mixed precision,
autocast), or in the one of --precision; PyTorch in channels_last. All take turns, round after round; each number is the
median over the rounds. The ratio compares the faster precision of either. With --keras the networks also train with
Keras' own layers instead of kseg's accelerated ones. The Python of --torch-python needs torch, torchvision, timm and
segmentation_models_pytorch.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import click
from torch_process import TorchProcess

from kseg.tensorflow_runtime import load_tensorflow

SMP: dict[str, Any] = {"decoder_widths": (256, 128, 64, 32, 16), "upsampling": "nearest", "norm": "batch"}
"""The decoder of segmentation_models.pytorch."""


@dataclass(frozen=True)
class Case:
    """A network that both kseg and PyTorch build.

    Args:
        size: Height and width of the images.
        batch: Images in a training step.
        spec: Arguments of kseg's `NetworkSpec`.
        torch: The name of the network in bench_networks_torch.py.
    """

    size: tuple[int, int]
    batch: int
    spec: dict[str, Any]
    torch: str


CASES = {
    # The classic U-Net; bench_networks_torch.py has the same layers in PyTorch.
    "unet": Case((128, 128), 16, {"widths": (16, 32, 64, 128), "norm": "batch"}, "unet"),
    **{
        name: Case((256, 256), 8, {"encoder": name, **SMP}, torch)
        for name, torch in {
            "mobilenetv2": "mobilenet_v2", "resnet18": "resnet18", "resnet34": "resnet34", "vgg11": "vgg11",
            "efficientnet_b0": "timm-efficientnet-b0", "efficientnet_lite0": "timm-tf_efficientnet_lite0",
            "mit_b0": "mit_b0",
        }.items()
    },
}  # fmt: skip

PRECISIONS = {"float32": "float32", "bfloat16": "mixed_bfloat16"}


def repeat(call: Callable[[], Any], seconds: float) -> float:
    """Call repeatedly for so many seconds; returns the calls per second."""
    call()
    begin, done = time.perf_counter(), 0
    while time.perf_counter() - begin < seconds:
        call()
        done += 1
    return done / (time.perf_counter() - begin)


def kseg_measurements(
    case: Case, seconds: float, keras: bool, precisions: Sequence[str]
) -> dict[str, Callable[[], float]]:
    """Name → function that measures kseg: training images/s in each precision, and inference in ms.

    With ``keras`` there are also entries for training with Keras' own layers.
    """
    import numpy as np

    from kseg.losses.loss import SegmentationLoss
    from kseg.models import NetworkSpec, build_model
    from kseg.training.acceleration.accelerate import accelerate
    from kseg.training.optimizer import FusedAdamW

    spec = NetworkSpec(size=case.size, channels=1, **case.spec)
    rng = np.random.default_rng(0)
    images = rng.uniform(0, 255, (case.batch, *case.size, 3)).astype(np.float32)
    truth = (images[..., 0] > 128).astype(np.uint8)

    def training(precision: str, keras: bool = False) -> Callable[[], float]:
        model = build_model(spec, logits=True, precision=precision)
        model = model if keras else accelerate(model)
        model.compile(FusedAdamW(1e-3, weight_decay=1e-4), SegmentationLoss("bce"), jit_compile=False)
        return lambda: case.batch * repeat(lambda: model.train_on_batch(images, truth), seconds)

    def inference() -> Callable[[], float]:
        import tensorflow as tf

        model = build_model(spec)
        run = tf.function(lambda x: model(x, training=False))
        image = tf.constant(images[:1])
        return lambda: 1000 / repeat(lambda: run(image).numpy(), seconds)

    measurements = {f"kseg {name}": training(PRECISIONS[name]) for name in precisions}
    measurements |= {f"Keras {name}": training(PRECISIONS[name], keras=True) for name in precisions if keras}
    return {**measurements, "kseg ms": inference()}


def measure(
    case: Case, torch_python: Path | None, keras: bool, rounds: int, seconds: float, precisions: Sequence[str]
) -> dict[str, float]:
    """The median of each measurement by its name: ``kseg float32``, ``torch ms``, …"""
    with ExitStack() as stack:
        measurements = kseg_measurements(case, seconds, keras, precisions)
        if torch_python:
            job = {"network": case.torch, "size": case.size, "batch": case.batch}
            process = TorchProcess(torch_python, "bench_networks_torch.py", job, stack)
            for key in (*precisions, "ms"):
                measurements[f"torch {key}"] = partial(process.ask, key, seconds)
        measured: dict[str, list[float]] = {name: [] for name in measurements}
        for _ in range(rounds):
            for name, measurement in measurements.items():
                measured[name].append(measurement())
    click.echo(f"  { ({name: [round(v, 1) for v in values] for name, values in measured.items()}) }", err=True)
    return {name: statistics.median(values) for name, values in measured.items()}


def row(name: str, case: Case, medians: dict[str, float], precisions: Sequence[str]) -> str:
    """A row of the Markdown table."""
    libraries = [library for library in ("kseg", "torch") if f"{library} ms" in medians]
    best = {library: max(medians[f"{library} {p}"] for p in precisions) for library in libraries}
    cells = [f"{medians[f'{library} {p}']:.1f}" for library in libraries for p in precisions]
    cells += [f"{best['kseg'] / best['torch']:.2f}"] if len(libraries) == 2 else []
    cells += [f"{medians[f'{library} ms']:.1f}" for library in libraries]
    cells += [f"{medians[f'Keras {p}']:.1f}" for p in precisions if f"Keras {p}" in medians]
    size = "×".join(map(str, case.size))
    return f"| {name}, {size}, batch {case.batch} | {' | '.join(cells)} |"


@click.command()
@click.option("--torch-python", type=click.Path(path_type=Path), help="A Python with segmentation_models_pytorch.")
@click.option("--keras", "keras_layers", is_flag=True, help="Also train with Keras' own layers.")
@click.option("--network", "names", multiple=True, type=click.Choice(list(CASES)), help="[default: all]")
@click.option(
    "--precision", "precisions", multiple=True, type=click.Choice(list(PRECISIONS)), default=list(PRECISIONS),
    help="[default: both]; leave bfloat16 out where the CPU only emulates it.",
)  # fmt: skip
@click.option("--rounds", default=3, show_default=True, help="Number of measurements of each.")
@click.option("--seconds", default=3.0, show_default=True, help="Duration of a measurement.")
def main(
    torch_python: Path | None,
    keras_layers: bool,
    names: tuple[str, ...],
    precisions: tuple[str, ...],
    rounds: int,
    seconds: float,
) -> None:
    """Measure the networks."""
    load_tensorflow(onednn=True)
    import keras

    head = [f"kseg {precision}" for precision in precisions]
    if torch_python:
        head += [*(f"PyTorch {precision}" for precision in precisions), "× PyTorch"]
    head += ["Keras ms", *(["PyTorch ms"] if torch_python else [])]
    head += [f"Keras' layers {precision}" for precision in precisions if keras_layers]
    lines = [f"| training images/s | {' | '.join(head)} |", "|---" * (len(head) + 1) + "|"]
    for name in names or CASES:
        click.echo(f"{name}:", err=True)
        medians = measure(CASES[name], torch_python, keras_layers, rounds, seconds, precisions)
        lines.append(row(name, CASES[name], medians, precisions))
        keras.backend.clear_session()
    click.echo("\n".join(lines))


if __name__ == "__main__":
    main()
