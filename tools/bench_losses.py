"""Time of losses with their gradients, as a TensorFlow graph on a random batch with a disc in each image.

    python tools/bench_losses.py [--batch 8] [--size 256] [--channels 2] [--rounds 9] ["EXPRESSION" …]

Measures all losses and a common sum, or the expressions. They take turns, round after round, so that other load on the
machine affects all alike; each number is the median over the rounds.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import click
import numpy as np

from kseg.losses import LOSSES
from kseg.tensorflow_runtime import load_tensorflow


@click.command()
@click.argument("expressions", nargs=-1)
@click.option("--batch", default=8)
@click.option("--size", default=256)
@click.option("--channels", default=2)
@click.option("--rounds", default=9)
def main(expressions: tuple[str, ...], batch: int, size: int, channels: int, rounds: int) -> None:
    """Print the milliseconds of each loss, and their ratio to the first one's."""
    load_tensorflow()
    expressions = expressions or (*LOSSES, "cross_entropy + dice")
    ids, logits = _draw(batch, size, channels)
    steps = {expression: _compile(expression, ids, logits) for expression in expressions}
    times: dict[str, list[float]] = {expression: [] for expression in expressions}
    for _ in range(rounds):
        for expression, step in steps.items():
            begin = time.perf_counter()
            step()
            times[expression].append(1e3 * (time.perf_counter() - begin))
    medians = {expression: statistics.median(rows) for expression, rows in times.items()}
    for expression, median in medians.items():
        print(f"{expression:20} {median:7.1f} ms {median / medians[expressions[0]]:6.1f}×")


def _draw(batch: int, size: int, channels: int) -> tuple[Any, Any]:
    """Class ids uint8 ``[B, H, W]``, a disc in each image, and random logits float32 ``[B, H, W, C]``."""
    random = np.random.default_rng(0)
    rows, columns = np.mgrid[:size, :size] / size
    ids = np.zeros((batch, size, size), np.uint8)
    for i in range(batch):
        (y, x), radius = random.uniform(0.25, 0.75, 2), random.uniform(0.08, 0.25)
        ids[i][(rows - y) ** 2 + (columns - x) ** 2 < radius**2] = 1 + i % max(1, channels - 1)
    return ids, random.normal(size=(batch, size, size, channels)).astype(np.float32)


def _compile(expression: str, ids: Any, logits: Any) -> Callable[[], Any]:
    """A function that runs the loss and its gradient as a compiled graph."""
    import tensorflow as tf

    from kseg.losses.loss import SegmentationLoss

    loss = SegmentationLoss(expression)

    def step(ids: Any, logits: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(logits)
            value = loss.call(ids, logits)
        return tape.gradient(value, logits)

    inputs = tf.constant(ids), tf.constant(logits)
    graph = tf.function(step).get_concrete_function(*inputs)
    graph(*inputs)  # the first call is slower
    return lambda: graph(*inputs).numpy()


if __name__ == "__main__":
    main()
