"""``.keras`` files with a model card: written to a temporary file and renamed; read in Keras' safe mode."""

from __future__ import annotations

from pathlib import Path

import keras

from kseg.card import CardContradiction, ModelCard, read_card, write_card
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


def load_model(path: Path, card: ModelCard | None = None) -> tuple[keras.Model, ModelCard]:
    """Read what `save_model` wrote, for prediction: no loss and no optimiser is needed or restored.

    Args:
        path: The ``.keras`` file.
        card: The card of a file that has none. Defaults to the one in the file.

    Returns:
        The model, which maps raw images ``[B, H, W, 3]`` to scores ``[B, H, W, C]``, and its card.

    Raises:
        ArtifactError: No such file, corrupt, not kseg's, it holds Python code, or its network contradicts its card.
    """
    card = read_card(path) if card is None else card
    set_keras_defaults()
    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises almost anything for damaged files
        raise _failure(path, str(error).strip() or type(error).__name__) from error
    if not isinstance(model, keras.Model):
        raise _failure(path, f"a {type(model).__name__} instead of a model")
    _check_fit(model, card, path)
    return model, card


def _failure(path: Path, reason: str) -> ArtifactError:
    if "safe_mode" in reason:
        return ArtifactError(
            "the model holds Python code, which kseg does not run", where=str(path),
            found=reason.partition(". ")[0].splitlines()[0][:200],
            remedy="build it of layers of Keras, which need no code in the file",
        )  # fmt: skip
    return ArtifactError(
        "the model cannot be loaded", where=str(path), found=reason.splitlines()[0][:200],
        remedy="copy it again if it is damaged; pip install --upgrade keras if a newer one wrote it",
    )  # fmt: skip


def _check_fit(model: keras.Model, card: ModelCard, path: Path) -> None:
    takes, gives = (tuple(shape[1:]) for shape in (_shape(model.inputs), _shape(model.outputs)))
    if takes != (card.height, card.width, 3) or gives != (card.height, card.width, card.channels):
        raise CardContradiction(
            path, expected=f"{card.height}×{card.width}×3 → {card.height}×{card.width}×{card.channels}",
            found=f"{takes} → {gives}",
        )  # fmt: skip


def _shape(tensors: list[keras.KerasTensor] | None) -> tuple[int | None, ...]:
    """The shape of the only input or output; empty if there are none or several."""
    return tuple(tensors[0].shape) if tensors is not None and len(tensors) == 1 else ()
