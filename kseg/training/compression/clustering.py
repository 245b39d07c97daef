"""Clustering: while a network is fine-tuned, the weights of a layer share few values, which are trained.

Weight sharing as in Han et al. 2016, https://arxiv.org/abs/1510.00149, by tensorflow-model-optimization, on a `Twin`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow_model_optimization as tfmot

from kseg.training.compression.twin import Twin, make_twin

__all__ = ["Clustering"]


class Clustering:
    """A network's twin under clustering.

    Args:
        network: As `make_twin` takes it.
        clusters: Number of values that the weights of a layer share.
    """

    settled = True

    def __init__(self, network: keras.Model, *, clusters: int) -> None:
        start = tfmot.clustering.keras.CentroidInitialization.KMEANS_PLUS_PLUS

        def wrap(layer: Any) -> Any:
            if np.prod(layer.kernel.shape) <= clusters:
                return None
            return tfmot.clustering.keras.cluster_weights(layer, clusters, start)

        self.twin: Twin = make_twin(network, wrap)

    def kernels(self) -> dict[str, Any]:
        """Name of a layer → its kernel, whose weights are replaced by those they share."""
        kernels = {}
        for name, wrapper in self.twin.wrappers.items():
            wrapper.update_clustered_weights_associations()
            kernels[name] = np.asarray(wrapper.layer.kernel)
        return kernels

    def facts(self) -> Mapping[str, Any]:
        """The largest number of different weights in a layer."""
        counts = [len(np.unique(kernel)) for kernel in self.kernels().values()]
        return {"values_in_a_layer": max(counts, default=0), "not_clustered": list(self.twin.skipped)}
