"""How many images/s the input pipeline alone delivers, beside how many the smallest network takes.

    python tools/bench_input.py [--config configs/pets.yaml] [--images 256] [--size 128] [--batch 8] [--seconds 3]

The network is a plain U-Net of widths 8, 16, 32 in a compiled training step on one batch that lies in memory: nothing
that kseg trains takes more images. Each rate is the median over several rounds, all measured in turn, so that whatever
else the machine does hits all alike; the time of a core that an image takes hardly depends on it. Without --config the
images are drawn at random.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click
import numpy as np

from kseg.quiet import load_tensorflow

if TYPE_CHECKING:
    from kseg.data import Dataset

ROUNDS = 5
NEEDED = 5.0
"""The pipeline alone must be this many times faster than the network, or it would slow the training down."""


def draw_dataset(folder: Path, count: int) -> Dataset:
    """Blobs as JPEG of 480 × 640 with their masks."""
    import cv2

    from kseg.data import find_dataset
    from kseg.images import write_jpeg, write_png

    rng = np.random.default_rng(0)
    for kind in ("images", "masks"):
        (folder / kind).mkdir()
    for i in range(count):
        soft = cv2.resize(rng.integers(0, 256, (12, 16, 3), np.uint8), (640, 480), interpolation=cv2.INTER_CUBIC)
        write_jpeg(folder / "images" / f"{i:05}.jpg", soft)
        write_png(folder / "masks" / f"{i:05}.png", (soft[..., 0] > 128).astype(np.uint8))
    return find_dataset(root=folder, classes=["background", "object"])


def read_dataset(config: Path) -> Dataset:
    """The data that a configuration names."""
    from kseg.config import load_config
    from kseg.data import find_dataset

    return find_dataset(**load_config(config).data.model_dump())


class Rate(NamedTuple):
    """How fast, by the clock and by what it costs."""

    images: float
    """A second."""
    cpu: float
    """Milliseconds of one core an image."""


def rate(step: Callable[[], int], seconds: float) -> Rate:
    """The rate of a step that returns how many images it did."""
    step()
    begin, cpu, done = time.perf_counter(), time.process_time(), 0
    while (spent := time.perf_counter() - begin) < seconds:
        done += step()
    return Rate(done / spent, 1000 * (time.process_time() - cpu) / done)


def median(rates: Sequence[Rate]) -> Rate:
    """Of each number."""
    return Rate(*map(statistics.median, zip(*rates, strict=True)))


def pull(batches: Any) -> Callable[[], int]:
    """A step that takes one batch from a pipeline."""
    source: Iterator[Any] = iter(batches)
    return lambda: len(next(source)[0])


def train_step(images: Any, masks: Any) -> Callable[[], int]:
    """A step that trains the smallest network on one batch in memory."""
    import keras
    import tensorflow as tf

    from kseg.models import NetworkSpec, build_model

    spec = NetworkSpec(size=images.shape[1:3], channels=1, widths=(8, 16, 32))
    model = build_model(spec, logits=True)
    model.compile(keras.optimizers.Adam(1e-3), keras.losses.BinaryCrossentropy(from_logits=True))
    truth = tf.cast(tf.equal(masks, 1), tf.float32)[..., tf.newaxis]

    def step() -> int:
        model.train_on_batch(images, truth)
        return len(images)

    step()
    return step


def decode(dataset: Dataset, size: tuple[int, int]) -> Callable[[], int]:
    """A step that reads a split from its files."""
    from kseg.data import load_arrays

    samples = dataset.samples("train")[:64]

    def step() -> int:
        return len(load_arrays(samples, dataset.labels, size))

    return step


def make_steps(dataset: Dataset, size: tuple[int, int], batch: int) -> dict[str, Callable[[], int]]:
    """All that is measured, by name."""
    from kseg.data import Augment, Streamed, load_arrays
    from kseg.data.pipeline import train_batches

    samples = dataset.samples("train")
    arrays = load_arrays(samples, dataset.labels, size)
    streamed = Streamed(samples, dataset.labels, size)
    flip = Augment(hflip=0.5)
    full = Augment(0.5, 0.5, 0.5, 0.2, 0.2, 0.2, (0.75, 1.5), 20)

    def pipeline(data: Any, augment: Augment) -> Callable[[], int]:
        return pull(train_batches(data, batch=batch, seed=0, augment=augment))

    plain = train_batches(arrays, batch=batch, seed=0, augment=Augment())
    return {
        "smallest network, compiled train step": train_step(*next(iter(plain))),
        "pipeline from memory": pipeline(arrays, Augment()),
        "pipeline from memory, hflip (the default)": pipeline(arrays, flip),
        "pipeline from memory, everything varied": pipeline(arrays, full),
        "pipeline from files (cache: none), hflip": pipeline(streamed, flip),
        "load_arrays (once, before training)": decode(dataset, size),
    }


def show(rates: dict[str, Rate]) -> None:
    """The table: images/s, how many times the network's, and the time of a core that each image takes."""
    network = next(iter(rates.values()))
    click.echo(f"{'':<44}{'images/s':>10}{'ratio':>10}{'core ms/image':>16}")
    for name, one in rates.items():
        click.echo(f"{name:<44}{one.images:>10.0f}{one.images / network.images:>10.1f}{one.cpu:>16.2f}")
    worst = min(one.images for name, one in rates.items() if "from memory" in name) / network.images
    verdict = "enough" if worst >= NEEDED else "TOO SLOW"
    click.echo(f"from memory at least {worst:.1f} times what the network takes: {verdict} (needed {NEEDED:g})")


@click.command()
@click.option("--config", type=click.Path(path_type=Path, dir_okay=False, exists=True), help="Whose data to read.")
@click.option("--images", default=256, show_default=True, help="How many to draw, without --config.")
@click.option("--size", default=128, show_default=True, help="Height and width of the batches.")
@click.option("--batch", default=8, show_default=True, help="Images a batch.")
@click.option("--seconds", default=3.0, show_default=True, help="For each rate, over all rounds.")
def main(config: Path | None, images: int, size: int, batch: int, seconds: float) -> None:
    """Measure the input pipeline alone, beside the smallest network."""
    load_tensorflow()
    with tempfile.TemporaryDirectory() as folder:
        dataset = read_dataset(config) if config else draw_dataset(Path(folder), images)
        steps = make_steps(dataset, (size, size), batch)
        rounds = [{name: rate(step, seconds / ROUNDS) for name, step in steps.items()} for _ in range(ROUNDS)]
    show({name: median([measured[name] for measured in rounds]) for name in steps})


if __name__ == "__main__":
    main()
