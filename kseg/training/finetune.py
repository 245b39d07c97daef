"""Which parts of a pretrained network learn, and from when on."""

from __future__ import annotations

import keras

from kseg.config import TrainConfig
from kseg.models.encoders.features import is_encoder

__all__ = ["Thaw", "freeze", "thaw_callbacks"]


def freeze(model: keras.Model, train: TrainConfig) -> None:
    """Hold the encoder, or its batch statistics, as the settings want it at the training's beginning.

    A frozen layer of batch normalisation keeps its statistics and uses them; so does one of a frozen encoder.
    """
    for layer in filter(is_encoder, model.layers):
        _set_trainable(layer, train, thawed=train.encoder_trainable is True)


def _set_trainable(layer: keras.Layer, train: TrainConfig, *, thawed: bool) -> None:
    statistics = isinstance(layer, keras.layers.BatchNormalization)
    layer.trainable = thawed and not (statistics and train.freeze_batch_norm)


class Thaw(keras.callbacks.Callback):
    """Lets the encoder learn from some epoch on.

    Args:
        train: The settings.
        epoch: The first epoch in which it learns, counted from 0.
    """

    def __init__(self, train: TrainConfig, epoch: int) -> None:
        super().__init__()
        self._train = train
        self._epoch = epoch
        self._thawed = False

    def on_epoch_begin(self, epoch: int, logs: object = None) -> None:
        """Thaw it, and have the step compiled anew."""
        del logs
        if epoch >= self._epoch and not self._thawed:
            self._thawed = True
            for layer in filter(is_encoder, self.model.layers):
                _set_trainable(layer, self._train, thawed=True)
            self.model.make_train_function(force=True)


def thaw_callbacks(train: TrainConfig) -> list[keras.callbacks.Callback]:
    """The callback that the settings need, if any."""
    after = train.encoder_trainable
    return [] if isinstance(after, bool) else [Thaw(train, after)]
