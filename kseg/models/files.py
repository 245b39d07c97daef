"""``.keras`` files with a model card: written to a temporary file and renamed; read in Keras' safe mode."""

from __future__ import annotations

import zipfile
from pathlib import Path

import keras

from kseg.card import ModelCard, read_card, write_card
from kseg.errors import ArtifactError, OutputError
from kseg.files import write_aside
from kseg.tensorflow_runtime import set_keras_defaults

__all__ = ["load_model", "save_model"]


def save_model(model: keras.Model, path: Path, card: ModelCard) -> None:
    """Write the model and its card as one ``.keras`` file; an earlier file stays until the new one is whole.

    Raises:
        OutputError: It cannot be written (a full disk, no permission).
    """
    with write_aside(path) as aside:
        try:
            model.save(aside)
        except RuntimeError as error:
            # HDF5 reports a failed write as a RuntimeError.
            raise OutputError(
                "cannot write the file", where=str(path), found=str(error).splitlines()[0],
                remedy="the earlier file is untouched" if path.exists() else None,
            ) from error  # fmt: skip
        write_card(aside, card)


def load_model(path: Path) -> tuple[keras.Model, ModelCard]:
    """Read what `save_model` wrote, for prediction: no loss and no optimiser is needed or restored.

    Returns:
        The model, which maps raw images ``[B, H, W, 3]`` to scores ``[B, H, W, C]``, and its card.

    Raises:
        ArtifactError: No such file, corrupt, not kseg's, or its network contradicts its card.
    """
    card = read_card(path)
    set_keras_defaults()
    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except (ValueError, TypeError, KeyError, OSError, RuntimeError, EOFError, zipfile.BadZipFile) as error:
        raise ArtifactError(
            "the model cannot be loaded", where=str(path), found=str(error).strip().splitlines()[0][:200],
            remedy="copy it again if it is damaged; pip install --upgrade keras if a newer one wrote it",
        ) from error  # fmt: skip
    _check_fit(model, card, path)
    return model, card


def _check_fit(model: keras.Model, card: ModelCard, path: Path) -> None:
    takes, gives = tuple(model.input_shape[1:]), tuple(model.output_shape[1:])
    if takes != (card.height, card.width, 3) or gives != (card.height, card.width, card.channels):
        raise ArtifactError(
            "the network contradicts its card", where=str(path),
            expected=f"{card.height}×{card.width}×3 → {card.height}×{card.width}×{card.channels}",
            found=f"{takes} → {gives}",
        )  # fmt: skip
