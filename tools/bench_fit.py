"""Overhead of the training loop: images/s of ``kseg fit``, and of the same compiled steps on a batch in memory.

    python tools/bench_fit.py [--images 240] [--imgsz 128] [--epochs 4]

Both run in one process and take turns, round after round: A is `kseg.training.fit` (tf.data, augmentation, callbacks,
validations, results.csv and checkpoints of every epoch); B is ``train_on_batch`` and ``test_on_batch`` on one batch in
memory, with as many steps and validations. The ratio is B's time over A's.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import click

from kseg.tensorflow_runtime import load_tensorflow


def make_faces(folder: Path, count: int, size: int) -> Path:
    """Draw a data set to train on."""
    from kseg.demo.faces import make_faces as draw_faces

    return draw_faces(folder, count, size=(size, size), seed=0)


def time_fit(config: Any) -> float:
    """The seconds of all epochs but the first, in which TensorFlow compiles the step."""
    from kseg.training import fit

    return sum(row["seconds"] for row in fit(config).rows[1:])


def time_bare(config: Any, epochs: int) -> float:
    """The seconds of as many steps and validations on a batch in memory."""
    from kseg.data.pipeline.arrays import Arrays
    from kseg.training.data import prepare_data
    from kseg.training.network import compile_network

    prepared = prepare_data(config.data, config.train, config.augment)
    spec = config.model.network_spec(config.train.imgsz, prepared.channels)
    model = compile_network(spec, config.model, config.train, prepared, precision="float32")
    batch = config.train.batch
    assert isinstance(prepared.train, Arrays)  # cache: ram
    images = prepared.train.images[:batch].astype("float32")
    masks = prepared.train.masks[:batch]
    last_batch = len(prepared.val) % batch or batch
    for _ in range(2):
        model.train_on_batch(images, masks)
        model.test_on_batch(images, masks)
        model.test_on_batch(images[:last_batch], masks[:last_batch])
    begin = time.perf_counter()
    for _ in range(epochs):
        for _ in range(prepared.steps):
            model.train_on_batch(images, masks)
        for _ in range(prepared.val_steps - 1):
            model.test_on_batch(images, masks)
        model.test_on_batch(images[:last_batch], masks[:last_batch])
    return time.perf_counter() - begin


@click.command()
@click.option("--images", default=240, show_default=True, help="Number of images; 0.8 of them train, 0.1 validate.")
@click.option("--imgsz", default=128, show_default=True)
@click.option("--batch", default=16, show_default=True)
@click.option("--epochs", default=4, show_default=True, help="Timed epochs; one more precedes them.")
@click.option("--rounds", default=3, show_default=True)
@click.option("--widths", default="[16,32,64,128]", show_default=True)
@click.option("--norm", default="none", show_default=True)
def main(images: int, imgsz: int, batch: int, epochs: int, rounds: int, widths: str, norm: str) -> None:
    """Print the images/s of both and their ratio for each round."""
    load_tensorflow(onednn=True)
    from kseg.config import load_config, parse_set

    with tempfile.TemporaryDirectory() as folder:
        root = make_faces(Path(folder) / "data", images, imgsz)
        settings = {
            "data.root": str(root),
            "data.classes": ["background", "eyeglasses"],
            "data.values": {0: "background", 255: "eyeglasses"},
            "model.norm": norm,
            "train.imgsz": imgsz,
            "train.batch": batch,
            "train.epochs": epochs + 1,
            "train.patience": 0,
            "train.cache": "ram",
            "train.device": "cpu",
            "train.precision": "float32",
            "run.project": folder,
        }
        config = load_config(None, {**settings, **dict([parse_set(f"model.widths={widths}")])})
        ratios = []
        for number in range(rounds):
            fitted = time_fit(config)
            bare = time_bare(config, epochs)
            trained = epochs * batch * round(images * 0.8 / batch + 0.4999)
            ratios.append(bare / fitted)
            click.echo(
                f"round {number + 1}: fit {trained / fitted:6.1f} images/s, bare steps {trained / bare:6.1f}, "
                f"ratio {ratios[-1]:.3f}"
            )
        click.echo(f"median ratio {statistics.median(ratios):.3f} (1: the loop costs nothing)")


if __name__ == "__main__":
    main()
