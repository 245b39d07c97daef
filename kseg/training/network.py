"""The compiled network of a training."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import keras

from kseg.config import ModelConfig, TrainConfig
from kseg.losses.loss import SegmentationLoss, SupervisedLoss
from kseg.metrics.keras_metrics import SegmentationMetrics
from kseg.models import NetworkSpec, build_model
from kseg.models.supervision import head_weights, plain_network
from kseg.models.weights.start import start_from
from kseg.training.data import TrainingData
from kseg.training.finetune import freeze
from kseg.training.optimizer import make_optimizer
from kseg.training.trained import training_network, variables_of

__all__ = ["compile_network"]

_log = logging.getLogger("kseg")


def compile_network(
    spec: NetworkSpec, model: ModelConfig, train: TrainConfig, data: TrainingData, *, precision: str
) -> keras.Model:
    """Build the network, load its initial weights, and compile it with loss, metrics and optimiser.

    Its outputs are logits. With deep supervision they are concatenated with those of the coarser levels;
    `kseg.models.supervision.plain_network` returns the network without them.

    Args:
        spec: The structure.
        model: Says where the initial weights come from.
        train: The settings of the training; ``seed`` initialises random weights.
        data: Gives the classes, their weights in the loss, and the number of steps in an epoch.
        precision: Keras' dtype policy.

    Raises:
        ArtifactError: The weights cannot be loaded, or belong to another network.
        UsageError: ``train.compress`` needs another backend of Keras.
    """
    keras.utils.set_random_seed(train.seed)
    network = build_model(
        spec, logits=True, supervised=train.deep_supervision, weights=model.weights, precision=precision
    )
    if model.start is not None:
        _log.info("started from %s", start_from(plain_network(network), model.start))
    network = training_network(network, train, train.epochs * data.steps)
    optimizer = make_optimizer(train, network, data.steps)
    # Before freezing, so that the encoder has its slots when it thaws: variables that first appear inside the compiled
    # step make TensorFlow trace it twice.
    optimizer.build(variables_of(network))
    freeze(network, train)
    labels = data.dataset.labels
    network.compile(
        optimizer=optimizer,
        loss=_loss(spec, train, data.class_weights, heads=network.output_shape[-1] // spec.channels),
        metrics=[SegmentationMetrics(labels.num_classes, labels.foreground, channels=spec.channels)],
        # On the CPU, XLA trains these networks at two thirds of the rate of TensorFlow's own kernels; JAX needs XLA.
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
