"""Pruning: while a network is fine-tuned, its smallest weights become zero, more and more of them.

The share of zeros rises by the polynomial of Zhu & Gupta 2017, https://arxiv.org/abs/1710.01878, in the first half of
the training; in the second half the other weights adapt. By tensorflow-model-optimization, on a `Twin`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import keras
import numpy as np
import tensorflow_model_optimization as tfmot

from kseg.training.compression.twin import Arrays, Twin, make_twin

__all__ = ["Pruning"]

_UPDATES: Final = 20
"""How often the mask of the zeros is renewed."""


class Pruning:
    """A network's twin under pruning.

    Args:
        network: As `make_twin` takes it.
        sparsity: Share of each kernel that becomes zero.
        steps: Training steps in all.
    """

    def __init__(self, network: keras.Model, *, sparsity: float, steps: int) -> None:
        self._every = max(1, steps // 2 // _UPDATES)
        self.last_step = max(1, steps // 2 // self._every) * self._every
        schedule = tfmot.sparsity.keras.PolynomialDecay(
            initial_sparsity=0.0, final_sparsity=sparsity, begin_step=0, end_step=self.last_step, frequency=self._every
        )
        self.twin: Twin = make_twin(network, lambda layer: tfmot.sparsity.keras.prune_low_magnitude(layer, schedule))
        for wrapper in self.twin.wrappers.values():
            wrapper.pruning_step.assign(0)  # tfmot's UpdatePruningStep does it, a callback of Keras 2

    def kernels(self) -> dict[str, Any]:
        """Name of a layer → its kernel with the zeros of its mask, which the last training step may have moved."""
        return {name: _masked(wrapper) for name, wrapper in self.twin.wrappers.items()}

    @property
    def settled(self) -> bool:
        """Whether the share of zeros has reached its goal."""
        steps = (int(wrapper.pruning_step) for wrapper in self.twin.wrappers.values())
        return min(steps, default=self.last_step) >= self.last_step

    def facts(self) -> Mapping[str, Any]:
        """Share of zeros in the pruned kernels, and of all weights."""
        kernels = list(self.kernels().values())
        zeros = sum(int((kernel == 0).sum()) for kernel in kernels)
        return {
            "sparsity": round(zeros / max(1, sum(kernel.size for kernel in kernels)), 4),
            "sparsity_of_all_weights": round(zeros / self.twin.network.count_params(), 4),
            "not_pruned": list(self.twin.skipped),
        }


def _masked(wrapper: Any) -> Any:
    arrays: Arrays = [np.asarray(variable) for variable in wrapper.pruning_vars[0][:2]]
    return arrays[0] * arrays[1]
