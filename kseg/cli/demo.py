"""``kseg demo``: train, evaluate, export and measure on a drawn data set."""

from __future__ import annotations

from pathlib import Path

import click

from kseg.cli.options import PATH

__all__ = ["command"]


@click.command("demo")
@click.option(
    "--out", type=PATH, default=Path("runs/demo"), show_default=True,
    help="The folder; numbered where it exists.",
)  # fmt: skip
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=0,
    show_default=True,
    help="Seed of the faces and of the initial weights.",
)
@click.option("--epochs", type=click.IntRange(min=1), default=12, show_default=True, help="Passes over the data.")
@click.option("--images", type=click.IntRange(20, 9999), default=600, show_default=True, help="Number of faces.")
def command(out: Path, seed: int, epochs: int, images: int) -> None:
    """Try everything on drawn faces with eyeglasses, without a download: three minutes on two CPU cores.

    Draws a data set, trains a small U-Net, scores it on test images, predicts masks, exports TFLite in float32 and
    int8, and measures the speed of both. Exits with 1 if the score is lower than expected.
    """
    from kseg.demo.tour import run_tour

    run_tour(out, seed=seed, epochs=epochs, images=images)
