"""The network as it is trained."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import keras

from kseg.config import ModelConfig, TrainConfig
from kseg.labels import LabelMap
from kseg.losses.loss import SegmentationLoss, SupervisedLoss
from kseg.metrics.keras_metrics import SegmentationMetrics
from kseg.models import NetworkSpec, build_model
from kseg.models.supervision import head_weights, plain_network
from kseg.models.weights.start import start_from
from kseg.training.acceleration.accelerate import accelerate
from kseg.training.finetune import freeze
from kseg.training.optimizer import make_optimizer

__all__ = ["compile_network"]

_log = logging.getLogger("kseg")


def compile_network(
    spec: NetworkSpec,
    settings: ModelConfig,
    train: TrainConfig,
    labels: LabelMap,
    *,
    steps: int,
    class_weights: Sequence[float] | None,
    precision: str,
) -> keras.Model:
    """The network as it is trained: ending in logits, with loss, metrics and optimiser.

    With deep supervision it ends in those of all levels; `kseg.models.supervision.plain_network` is what is kept of it.

    Args:
        spec: The structure.
        settings: The weights that it begins with.
        train: The settings of the training; the seed decides the random weights.
        labels: The classes that the metrics count.
        steps: Training steps an epoch.
        class_weights: How much each class counts in the loss; None: all the same.
        precision: Keras' dtype policy.

    Raises:
        ArtifactError: The weights cannot be loaded, or are another network's.
    """
    keras.utils.set_random_seed(train.seed)
    network = build_model(
        spec, logits=True, supervised=train.deep_supervision, weights=settings.weights, precision=precision
    )
    if settings.start is not None:
        _log.info("started from %s", start_from(plain_network(network), settings.start))
    network = accelerate(network)
    optimizer = make_optimizer(train, network, steps)
    # Variables that first appear inside the compiled step make TensorFlow trace it twice; those of a frozen encoder
    # may come later.
    optimizer.build(network.trainable_variables)
    freeze(network, train)
    network.compile(
        optimizer=optimizer,
        loss=_loss(spec, train, class_weights, heads=network.output_shape[-1] // spec.channels),
        metrics=[SegmentationMetrics(labels.num_classes, labels.foreground, channels=spec.channels)],
        # XLA on the CPU trains these networks at two thirds of the rate; JAX knows nothing else.
        jit_compile=False if keras.backend.backend() == "tensorflow" else "auto",
    )
    return network


def _loss(
    spec: NetworkSpec, train: TrainConfig, class_weights: Sequence[float] | None, heads: int
) -> keras.losses.Loss:
    if heads == 1:
        return SegmentationLoss(train.loss, class_weights=class_weights, activation=spec.activation)
    shares = head_weights(spec, heads)
    return SupervisedLoss(train.loss, heads=shares, class_weights=class_weights, activation=spec.activation)
