"""Images/s of the input pipeline, beside PyTorch's DataLoader with albumentations on the same files.

    python tools/bench_input.py --config configs/pets.yaml [--torch-python ~/torch/bin/python] [--rounds 5]

Both decode, resize, flip, shift, scale, rotate, change brightness and contrast and make float batches, in as many
threads (kseg) or processes (PyTorch) as there are cores. The Python of --torch-python needs torch, albumentations 2 and
opencv-python-headless; without it kseg is measured alone. All take turns, round after round, so that other load on the
machine affects all alike; each number is the median over the rounds. The last row is the training of a very small
network, a plain U-Net of widths 8, 16, 32, on one batch in memory: larger ones need fewer images/s.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from torch_process import TorchProcess

from kseg.tensorflow_runtime import load_tensorflow

if TYPE_CHECKING:
    from kseg.data.dataset import Dataset
    from kseg.data.pipeline.cache import SampleStore

AUGMENTATION: dict[str, Any] = {"scale": [0.8, 1.25], "shift": 0.1, "degrees": 15, "brightness": 0.2, "contrast": 0.2}
"""The arguments of the augmentation, the same for kseg and albumentations."""
AUGMENT = [
    "hflip",
    {"shift": AUGMENTATION["shift"]},
    {"scale": AUGMENTATION["scale"]},
    {"rotate": AUGMENTATION["degrees"]},
    {"contrast": AUGMENTATION["contrast"]},
    {"brightness": AUGMENTATION["brightness"]},
]

Rate = Callable[[float], float]
"""Seconds to measure for → images/s."""


def read_dataset(config: Path) -> tuple[Dataset, tuple[int, int]]:
    """The data set of a configuration, and its network's input size."""
    from kseg.config import load_config
    from kseg.data.find import find_dataset

    settings = load_config(config, {"model.weights": None})
    return find_dataset(settings.data), settings.train.imgsz


def iterator_rate(source: Iterator[Any], prefetched: int = 8) -> Rate:
    """The rate at which a pipeline yields batches."""

    def rate(seconds: float) -> float:
        for _ in range(prefetched):  # batches that were prepared since the last measurement
            next(source)
        begin, done = time.perf_counter(), 0
        while time.perf_counter() - begin < seconds:
            done += len(next(source)[0])
        return done / (time.perf_counter() - begin)

    return rate


def kseg_rates(dataset: Dataset, size: tuple[int, int], batch: int, cache: Path) -> dict[str, Rate]:
    """The rates of kseg's pipeline with each kind of cache."""
    from kseg.augment import parse
    from kseg.data.pipeline.arrays import Streamed, load_arrays
    from kseg.data.pipeline.batches import train_batches
    from kseg.data.pipeline.cache import fill_cache

    samples, labels = dataset.samples("train"), dataset.labels
    sources: dict[str, SampleStore] = {
        "kseg, cache: none": Streamed(samples, labels, size),
        "kseg, cache: disk": fill_cache(samples, labels, size, folder=cache),
        "kseg, cache: ram": load_arrays(samples, labels, size),
    }
    augment = parse(AUGMENT)
    return {
        name: iterator_rate(iter(train_batches(data, batch=batch, seed=0, augment=augment)))
        for name, data in sources.items()
    }


def torch_rates(
    python: Path, dataset: Dataset, size: tuple[int, int], batch: int, workers: int, stack: ExitStack
) -> dict[str, Rate]:
    """The rates of PyTorch's DataLoader, decoding files at each use, and with decoded images in memory."""
    import numpy as np

    table = dataset.labels.ids(np.arange(256)) % 256
    pairs = [[str(sample.image), str(sample.mask)] for sample in dataset.samples("train")]
    job = {**AUGMENTATION, "pairs": pairs, "table": table.tolist(), "size": size, "batch": batch, "workers": workers}
    process = TorchProcess(python, "bench_input_torch.py", job, stack)

    def rate_of(name: str) -> Rate:
        return lambda seconds: float(process.ask(name, seconds))

    return {
        "PyTorch + albumentations": rate_of("files"),
        "PyTorch + albumentations, decoded in memory": rate_of("memory"),
    }


def network_rate(size: tuple[int, int], batch: int) -> Rate:
    """The rate at which the smallest network trains on one batch in memory."""
    import keras
    import numpy as np

    from kseg.models import NetworkSpec, build_model

    spec = NetworkSpec(size=(size[0] // 4 * 4, size[1] // 4 * 4), channels=1, widths=(8, 16, 32))
    model = build_model(spec, logits=True)
    model.compile(keras.optimizers.Adam(1e-3), keras.losses.BinaryCrossentropy(from_logits=True))
    rng = np.random.default_rng(0)
    images = rng.random((batch, *spec.size, 3), np.float32)
    truth = (images[..., :1] > 0.5).astype(np.float32)

    def steps() -> Iterator[Any]:
        while True:
            model.train_on_batch(images, truth)
            yield images, truth

    return iterator_rate(steps(), prefetched=2)


def show(rates: dict[str, float], base: str) -> None:
    """Print the table, with the ratios to the row ``base``."""
    click.echo(f"| pipeline | images/s | × {base} |\n|---|---|---|")
    for name, rate in rates.items():
        click.echo(f"| {name} | {rate:.0f} | {rate / rates[base]:.2f} |")


@click.command()
@click.option("--config", type=click.Path(path_type=Path, dir_okay=False, exists=True), required=True, help="The data.")
@click.option("--torch-python", type=click.Path(path_type=Path), help="A Python with torch and albumentations.")
@click.option("--size", type=int, nargs=2, help="Height and width of the batches [default: the configuration's].")
@click.option("--batch", default=8, show_default=True, help="Images a batch.")
@click.option("--rounds", default=5, show_default=True, help="Number of measurements of each.")
@click.option("--seconds", default=2.0, show_default=True, help="Duration of a measurement.")
def main(
    config: Path, torch_python: Path | None, size: tuple[int, int] | None, batch: int, rounds: int, seconds: float
) -> None:
    """Measure the input pipeline."""
    load_tensorflow()
    from kseg.processor import usable_cores

    dataset, input_size = read_dataset(config)
    size = size or input_size
    with tempfile.TemporaryDirectory() as cache, ExitStack() as stack:
        pipelines = kseg_rates(dataset, size, batch, Path(cache))
        if torch_python:
            pipelines |= torch_rates(torch_python, dataset, size, batch, usable_cores(), stack)
        pipelines["smallest network, training"] = network_rate(size, batch)
        measured: dict[str, list[float]] = {name: [] for name in pipelines}
        for _ in range(rounds):
            for name, rate in pipelines.items():
                measured[name].append(rate(seconds))
        base = "PyTorch + albumentations" if torch_python else "smallest network, training"
        click.echo(
            f"{len(dataset.samples('train'))} images to {size[0]}×{size[1]}, batch {batch}, {usable_cores()} cores\n"
        )
        show({name: statistics.median(rates) for name, rates in measured.items()}, base)


if __name__ == "__main__":
    main()
