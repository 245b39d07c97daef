"""The scores for TensorBoard."""

from __future__ import annotations

import keras

from kseg.config import RunConfig
from kseg.training.folder import RunFolder

__all__ = ["board_callbacks"]


def board_callbacks(run: RunConfig, folder: RunFolder) -> list[keras.callbacks.Callback]:
    """The callback that the settings need, if any: scalars alone, which cost nothing."""
    return [keras.callbacks.TensorBoard(folder.tensorboard, write_graph=False)] if run.tensorboard else []
