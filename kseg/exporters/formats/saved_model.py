"""SavedModel: for TensorFlow Serving, and for any TensorFlow without Keras and kseg."""

from __future__ import annotations

from pathlib import Path

from kseg.card import CARD_NAME
from kseg.exporters.conversion import Conversion
from kseg.exporters.formats.graph import save_graph
from kseg.files import make_folder, write_text
from kseg.tensorflow_runtime import quiet_stderr

__all__ = ["write_saved_model"]


def write_saved_model(conversion: Conversion, path: Path) -> None:
    """Write a SavedModel folder, whose ``serving_default`` takes ``images`` and returns ``scores``.

    ``images`` is uint8 ``[B, h, w, 3]``, ``scores`` float32 ``[B, h, w, C]``.

    Raises:
        UsageError: Keras' backend is not TensorFlow.
        OutputError: The card cannot be written.
    """
    import tensorflow as tf

    with quiet_stderr():
        save_graph(conversion.model, str(path), batch=None, dtype=tf.uint8)
    write_text(make_folder(path / "assets.extra") / CARD_NAME, conversion.card.to_json())
