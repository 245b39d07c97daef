"""What a loss and its gradient cost, as a TensorFlow graph on a random batch with a disc in each image.

    python tools/bench_losses.py [--batch 8] [--size 256] [--channels 2] [--rounds 9]

All losses take turns, round after round, so that whatever else the machine does hits all alike; each number is the
median over the rounds.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import click
import numpy as np

from kseg.tensorflow_runtime import load_tensorflow


@click.command()
@click.option("--batch", default=8)
@click.option("--size", default=256)
@click.option("--channels", default=2)
@click.option("--rounds", default=9)
def main(batch: int, size: int, channels: int, rounds: int) -> None:
    """Print a line a loss: milliseconds, and how often cross-entropy's."""
    load_tensorflow()
    from kseg.losses.loss import FUNCTIONS

    ids, logits = _draw(batch, size, channels)
    steps = {name: _compile(function, ids, logits) for name, function in FUNCTIONS.items()}
    times: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(rounds):
        for name, step in steps.items():
            begin = time.perf_counter()
            step()
            times[name].append(1e3 * (time.perf_counter() - begin))
    medians = {name: statistics.median(one) for name, one in times.items()}
    for name, median in medians.items():
        print(f"{name:17} {median:7.1f} ms {median / medians['cross_entropy']:6.1f}×")


def _draw(batch: int, size: int, channels: int) -> tuple[Any, Any]:
    random = np.random.default_rng(0)
    rows, columns = np.mgrid[:size, :size] / size
    ids = np.zeros((batch, size, size), np.uint8)
    for i in range(batch):
        (y, x), radius = random.uniform(0.25, 0.75, 2), random.uniform(0.08, 0.25)
        ids[i][(rows - y) ** 2 + (columns - x) ** 2 < radius**2] = 1 + i % max(1, channels - 1)
    return ids, random.normal(size=(batch, size, size, channels)).astype(np.float32)


def _compile(function: Any, ids: Any, logits: Any) -> Callable[[], Any]:
    import tensorflow as tf

    def step(ids: Any, logits: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(logits)
            loss = function(ids, logits)
        return tape.gradient(loss, logits)

    inputs = tf.constant(ids), tf.constant(logits)
    graph = tf.function(step).get_concrete_function(*inputs)
    graph(*inputs)  # the first call is slower
    return lambda: graph(*inputs).numpy()


if __name__ == "__main__":
    main()
