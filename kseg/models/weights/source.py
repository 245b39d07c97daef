"""Which weights there are for an encoder; checked by name alone, before Keras is loaded and any data are read."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Final

from kseg.errors import ConfigError, abbreviate
from kseg.models.tables import ENCODERS, EncoderSpec
from kseg.registry import lookup
from kseg.run_folder import RunFolder

__all__ = ["IMAGENET", "check_source", "file_of", "files_of", "is_installed", "missing_hub", "start_file"]

IMAGENET: Final = "imagenet"
_HUB: Final = "keras_hub"


def files_of(encoder: EncoderSpec) -> tuple[str, ...]:
    """The suffixes of the files that hold weights for an encoder."""
    keras = (".h5", ".keras") if encoder.pretrained else ()
    return (*keras, ".safetensors", ".pth", ".pt", ".bin") if encoder.torch else keras


def file_of(name: str, weights: str | Path) -> Path | None:
    """The file that holds the weights, named itself or by its folder; None where KerasHub has to find or convert it.

    Files are read here where that is possible: KerasHub leaves layers that a file lacks at random, with a warning.

    Args:
        name: The encoder.
        weights: As `check_source` takes it.
    """
    place = Path(weights)
    in_folder = ("model.weights.h5", *(("model.safetensors",) if ENCODERS[name].torch else ()))
    paths = (place, *(place / file for file in in_folder))
    return next((path for path in paths if path.is_file()), None)


def check_source(name: str, weights: str | Path | None) -> None:
    """Check an encoder and the weights named for it, as far as the names show what is wrong.

    Args:
        name: The encoder, one of `ENCODERS`.
        weights: ``imagenet``, a preset or handle, a file, a folder, or None.

    Raises:
        ConfigError: There are no such weights for this encoder, or an extra of kseg is missing.
        UnknownNameError: The preset is misspelt, or belongs to another encoder.
    """
    encoder = ENCODERS[name]
    if weights is not None:
        _check_weights(name, encoder, weights)
    # Of MiT, KerasHub has the weights but not the graph, and a file of them is read without it.
    downloads = encoder.takes_handles and weights is not None and file_of(name, weights) is None
    if not is_installed(name) or (downloads and find_spec(_HUB) is None):
        raise missing_hub()


def is_installed(name: str) -> bool:
    """Whether the extra of kseg that brings an encoder's graph is there; nothing is imported for the answer."""
    return ENCODERS[name].extra is None or find_spec(_HUB) is not None


def _check_weights(name: str, encoder: EncoderSpec, weights: str | Path) -> None:
    if not encoder.pretrained:
        raise ConfigError(
            "there are no pretrained weights for this encoder", where="model.weights",
            expected=f"none with encoder {name}", found=repr(str(weights)),
            remedy="choose --encoder mobilenetv2, or start from a model of kseg: model.start",
        )  # fmt: skip
    names = ((IMAGENET,) if encoder.imagenet else ()) + encoder.presets
    if isinstance(weights, Path) or not names or "/" in weights or Path(weights).suffix in files_of(encoder):
        _check_place(name, encoder, str(weights))
        return
    lookup(dict.fromkeys(names), weights, kind=f"weights of {name}", where="model.weights")


def _check_place(name: str, encoder: EncoderSpec, weights: str) -> None:
    """KerasHub reads handles and folders; a file has to be of a kind that holds this encoder's weights."""
    if "://" in weights or Path(weights).is_dir():
        if encoder.takes_handles or file_of(name, weights):
            return
    elif Path(weights).suffix.lower() in files_of(encoder):
        return
    handles = "a handle or folder of KerasHub, or " if encoder.takes_handles else ""
    raise ConfigError(
        "these are no weights for this encoder", where="model.weights",
        expected=f"{handles}a file {abbreviate(files_of(encoder), 9)} with encoder {name}", found=weights,
        remedy="see docs/encoders.md",
    )  # fmt: skip


def start_file(place: Path) -> Path:
    """The model that a path stands for: of a run folder its best weights, else the path itself."""
    return RunFolder(place).best if place.is_dir() else place


def missing_hub() -> ConfigError:
    """The error where KerasHub is needed and missing."""
    return ConfigError(
        "the encoder or its weights are KerasHub's, which is not installed", where="model.encoder",
        remedy="pip install 'kseg[hub]', or choose --encoder mobilenetv2",
    )  # fmt: skip
