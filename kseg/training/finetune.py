"""Fine-tuning: which parts of a pretrained network are trainable, and from which epoch on."""

from __future__ import annotations

import keras

from kseg.config import TrainConfig
from kseg.models.encoders.features import is_encoder

__all__ = ["UnfreezeEncoder", "freeze", "unfreeze_callbacks"]


def freeze(model: keras.Model, train: TrainConfig) -> None:
    """Freeze the encoder, or its batch normalisation, as ``train.encoder_trainable`` and ``freeze_batch_norm`` say.

    Frozen batch normalisation keeps its moving statistics and normalises by them, in training, too.
    """
    for layer in filter(is_encoder, model.layers):
        _set_trainable(layer, train, unfrozen=train.encoder_trainable is True)


def _set_trainable(layer: keras.Layer, train: TrainConfig, *, unfrozen: bool) -> None:
    frozen_statistics = train.freeze_batch_norm and isinstance(layer, keras.layers.BatchNormalization)
    layer.trainable = unfrozen and not frozen_statistics


class UnfreezeEncoder(keras.callbacks.Callback):
    """Makes a frozen encoder trainable from some epoch on.

    Args:
        train: The settings of the training.
        epoch: The first epoch in which the encoder is trained, counted from 0.
    """

    def __init__(self, train: TrainConfig, epoch: int) -> None:
        super().__init__()
        self._train = train
        self._epoch = epoch
        self._unfrozen = False

    def on_epoch_begin(self, epoch: int, logs: object = None) -> None:
        """Unfreeze the encoder, and have Keras compile the training step again."""
        del logs
        if epoch >= self._epoch and not self._unfrozen:
            self._unfrozen = True
            for layer in filter(is_encoder, self.model.layers):
                _set_trainable(layer, self._train, unfrozen=True)
            self.model.make_train_function(force=True)


def unfreeze_callbacks(train: TrainConfig) -> list[keras.callbacks.Callback]:
    """An `UnfreezeEncoder` if ``train.encoder_trainable`` is a number of epochs; nothing if it is true or false."""
    epoch = train.encoder_trainable
    return [] if isinstance(epoch, bool) else [UnfreezeEncoder(train, epoch)]
