"""SavedModel: for TensorFlow Serving, and for any TensorFlow without Keras and kseg."""

from __future__ import annotations

from pathlib import Path

from kseg.card import write_card
from kseg.exporters.conversion import Conversion
from kseg.exporters.formats.signatures import signed_module
from kseg.tensorflow_runtime import quiet_stderr

__all__ = ["write_saved_model"]


def write_saved_model(conversion: Conversion, path: Path) -> None:
    """Write a SavedModel folder with the signatures of `kseg.exporters.formats.signatures`, and with the card.

    Raises:
        UsageError: Keras' backend is not TensorFlow.
        OutputError: The card cannot be written.
    """
    import tensorflow as tf

    with quiet_stderr():
        module, signatures = signed_module(conversion.model, conversion.card)
        tf.saved_model.save(module, str(path), signatures=signatures)
    write_card(path, conversion.card)
