"""Training images/s and inference ms of networks, beside segmentation_models.pytorch on the same device.

    python tools/bench_networks.py [--torch-python ~/torch/bin/python] [--keras] [--rounds 3]
        [--precision float32] [--network unet …]

Training is one compiled step (loss, gradients, AdamW) on one batch in memory; inference one image at a time by Keras
and by PyTorch's eager mode. Both sides in float32 and in bfloat16 (mixed precision, autocast) or in the one that
--precision names, PyTorch in channels_last. All take turns, round after round; each number is the median over the
rounds. The ratio compares the best of either side. With --keras the networks train with Keras' own layers, too,
without what kseg puts in their place. The Python of --torch-python needs torch, torchvision, timm and
segmentation_models_pytorch.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from torch_side import TorchSide

from kseg.tensorflow_runtime import load_tensorflow

SMP: dict[str, Any] = {"decoder_widths": (256, 128, 64, 32, 16), "upsampling": "nearest", "norm": "batch"}
"""segmentation_models.pytorch's decoder."""


@dataclass(frozen=True)
class Contest:
    """One network on both sides.

    Args:
        size: Of the images.
        batch: Images a training step.
        spec: Of kseg's network.
        torch: What bench_networks_torch.py builds.
    """

    size: tuple[int, int]
    batch: int
    spec: dict[str, Any]
    torch: str


CONTESTS = {
    # The facts' classic U-Net: the same layers written in PyTorch.
    "unet": Contest((128, 128), 16, {"widths": (16, 32, 64, 128), "norm": "batch"}, "unet"),
    **{
        name: Contest((256, 256), 8, {"encoder": name, **SMP}, torch)
        for name, torch in {
            "mobilenetv2": "mobilenet_v2", "resnet18": "resnet18", "resnet34": "resnet34", "vgg11": "vgg11",
            "efficientnet_b0": "timm-efficientnet-b0", "efficientnet_lite0": "timm-tf_efficientnet_lite0",
            "mit_b0": "mit_b0",
        }.items()
    },
}  # fmt: skip

PRECISIONS = {"float32": "float32", "bfloat16": "mixed_bfloat16"}


def repeat(call: Callable[[], Any], seconds: float) -> float:
    """Calls a second."""
    call()
    begin, done = time.perf_counter(), 0
    while time.perf_counter() - begin < seconds:
        call()
        done += 1
    return done / (time.perf_counter() - begin)


def kseg_side(
    contest: Contest, seconds: float, keras: bool, precisions: Sequence[str]
) -> dict[str, Callable[[], float]]:
    """What measures kseg: training images/s in each precision, with Keras' own layers, too, if asked; inference ms."""
    import numpy as np

    from kseg.losses.loss import SegmentationLoss
    from kseg.models import NetworkSpec, build_model
    from kseg.training.acceleration.accelerate import accelerate
    from kseg.training.optimizer import FusedAdamW

    spec = NetworkSpec(size=contest.size, channels=1, **contest.spec)
    rng = np.random.default_rng(0)
    images = rng.uniform(0, 255, (contest.batch, *contest.size, 3)).astype(np.float32)
    truth = (images[..., 0] > 128).astype(np.uint8)

    def training(precision: str, keras: bool = False) -> Callable[[], float]:
        model = build_model(spec, logits=True, precision=precision)
        model = model if keras else accelerate(model)
        model.compile(FusedAdamW(1e-3, weight_decay=1e-4), SegmentationLoss("bce"), jit_compile=False)
        return lambda: contest.batch * repeat(lambda: model.train_on_batch(images, truth), seconds)

    def inference() -> Callable[[], float]:
        import tensorflow as tf

        model = build_model(spec)
        run = tf.function(lambda x: model(x, training=False))
        one = tf.constant(images[:1])
        return lambda: 1000 / repeat(lambda: run(one).numpy(), seconds)

    todo = {f"kseg {name}": training(PRECISIONS[name]) for name in precisions}
    todo |= {f"Keras {name}": training(PRECISIONS[name], keras=True) for name in precisions if keras}
    return {**todo, "kseg ms": inference()}


def measure(
    contest: Contest, torch_python: Path | None, keras: bool, rounds: int, seconds: float, precisions: Sequence[str]
) -> dict[str, float]:
    """The medians of everything, ``kseg float32`` and so on."""
    with ExitStack() as stack:
        todo = kseg_side(contest, seconds, keras, precisions)
        if torch_python:
            work = {"network": contest.torch, "size": contest.size, "batch": contest.batch}
            side = TorchSide(torch_python, "bench_networks_torch.py", work, stack)
            todo |= {f"torch {key}": lambda key=key: float(side.ask(key, seconds)) for key in (*precisions, "ms")}  # type: ignore[misc]
        found: dict[str, list[float]] = {key: [] for key in todo}
        for _ in range(rounds):
            for key, rate in todo.items():
                found[key].append(rate())
    click.echo(f"  { ({key: [round(v, 1) for v in values] for key, values in found.items()}) }", err=True)
    return {key: statistics.median(values) for key, values in found.items()}


def row(name: str, contest: Contest, found: dict[str, float], precisions: Sequence[str]) -> str:
    """A line of the table."""
    sides = [side for side in ("kseg", "torch") if f"{side} ms" in found]
    best = {side: max(found[f"{side} {precision}"] for precision in precisions) for side in sides}
    cells = [f"{found[f'{side} {p}']:.1f}" for side in sides for p in precisions]
    cells += [f"{best['kseg'] / best['torch']:.2f}"] if len(sides) == 2 else []
    cells += [f"{found[f'{side} ms']:.1f}" for side in sides]
    cells += [f"{found[f'Keras {p}']:.1f}" for p in precisions if f"Keras {p}" in found]
    size = "×".join(map(str, contest.size))
    return f"| {name}, {size}, batch {contest.batch} | {' | '.join(cells)} |"


@click.command()
@click.option("--torch-python", type=click.Path(path_type=Path), help="A Python with segmentation_models_pytorch.")
@click.option("--keras", "own", is_flag=True, help="Train with Keras' own layers, too.")
@click.option("--network", "names", multiple=True, type=click.Choice(list(CONTESTS)), help="[default: all]")
@click.option(
    "--precision", "precisions", multiple=True, type=click.Choice(list(PRECISIONS)), default=list(PRECISIONS),
    help="[default: both]; leave bfloat16 out where the CPU only emulates it.",
)  # fmt: skip
@click.option("--rounds", default=3, show_default=True, help="How often each is measured.")
@click.option("--seconds", default=3.0, show_default=True, help="How long each time.")
def main(
    torch_python: Path | None,
    own: bool,
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
    head += [f"Keras' layers {precision}" for precision in precisions if own]
    lines = [f"| training images/s | {' | '.join(head)} |", "|---" * (len(head) + 1) + "|"]
    for name in names or CONTESTS:
        click.echo(f"{name}:", err=True)
        found = measure(CONTESTS[name], torch_python, own, rounds, seconds, precisions)
        lines.append(row(name, CONTESTS[name], found, precisions))
        keras.backend.clear_session()
    click.echo("\n".join(lines))


if __name__ == "__main__":
    main()
