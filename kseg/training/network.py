"""The network as it is trained."""

from __future__ import annotations

import logging

import keras

from kseg.config import Config
from kseg.losses.loss import SegmentationLoss, SupervisedLoss
from kseg.metrics.training import SegmentationMetrics
from kseg.models import build_model
from kseg.models.supervision import head_weights, plain_network
from kseg.models.twin import training_twin
from kseg.models.weights.start import start_from
from kseg.training.finetune import freeze
from kseg.training.optimizer import make_optimizer
from kseg.training.prepare import Prepared

__all__ = ["compile_network"]

_log = logging.getLogger("kseg")


def compile_network(config: Config, prepared: Prepared, precision: str) -> keras.Model:
    """The network as it is trained: ending in logits, with loss, metrics and optimiser.

    With deep supervision it ends in those of all levels; `kseg.models.supervision.plain_network` is what is kept of it.
    """
    model = training_twin(_begin(config, prepared, precision))
    optimizer = make_optimizer(config.train, model, prepared.steps)
    # Variables that first appear inside the compiled step make TensorFlow trace it twice; those of a frozen encoder
    # may come later.
    optimizer.build(model.trainable_variables)
    freeze(model, config.train)
    labels = prepared.dataset.labels
    model.compile(
        optimizer=optimizer,
        loss=_loss(config, prepared, heads=model.output_shape[-1] // prepared.spec.channels),
        metrics=[SegmentationMetrics(labels.num_classes, labels.foreground, channels=prepared.spec.channels)],
        # XLA on the CPU trains these networks at two thirds of the rate; JAX knows nothing else.
        jit_compile=False if keras.backend.backend() == "tensorflow" else "auto",
    )
    return model


def _begin(config: Config, prepared: Prepared, precision: str) -> keras.Model:
    """The network with the weights that it begins with."""
    supervised = config.train.deep_supervision
    weights = config.model.weights
    model = build_model(prepared.spec, logits=True, supervised=supervised, weights=weights, precision=precision)
    if config.model.start is not None:
        _log.info("started from %s", start_from(plain_network(model), config.model.start))
    return model


def _loss(config: Config, prepared: Prepared, heads: int) -> keras.losses.Loss:
    expression, weights, head = config.train.loss, prepared.class_weights, config.model.head
    if heads == 1:
        return SegmentationLoss(expression, class_weights=weights, head=head)
    shares = head_weights(prepared.spec, heads)
    return SupervisedLoss(expression, heads=shares, class_weights=weights, head=head)
