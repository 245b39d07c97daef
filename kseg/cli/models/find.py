"""NAME of ``kseg models summary``: an encoder, an architecture and an encoder, a configuration, or a trained model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from kseg.errors import ArtifactError, UsageError
from kseg.files import expand_home

if TYPE_CHECKING:
    from kseg.models import NetworkSpec

__all__ = ["find_network"]

SIZE: Final = (256, 256)
SUFFIXES: Final = {".yaml", ".yml", ".keras", ".tflite", ".onnx"}


def find_network(name: str, imgsz: list[int] | None) -> NetworkSpec:
    """The structure of the network that a name stands for; Keras is not loaded.

    Args:
        name: A name of the tables, which come first, or the path of a file or folder.
        imgsz: Height and width, or None for the file's own.

    Raises:
        UsageError: No such name; or a trained model is asked for another size than its own.
        ConfigError: The configuration is wrong.
        ArtifactError: No such model, or one that does not say how it is built.
    """
    from kseg.models.tables import ARCHITECTURES, ENCODERS

    arch, _, encoder = name.rpartition("/")
    in_tables = encoder in ENCODERS and (not arch or arch in ARCHITECTURES)
    path = expand_home(name)
    if in_tables or not (path.exists() or path.suffix.lower() in SUFFIXES or "/" in arch):
        return _by_name(arch or "unet", encoder, imgsz)
    if path.suffix.lower() in (".yaml", ".yml"):
        return _by_config(path, imgsz)
    return _by_file(path, imgsz)


def _by_name(arch: str, encoder: str, imgsz: list[int] | None) -> NetworkSpec:
    from kseg.models import NetworkSpec
    from kseg.models.tables import ARCHITECTURES, ENCODERS
    from kseg.registry import lookup

    if encoder in ARCHITECTURES:
        raise UsageError("an architecture needs an encoder", where=encoder, remedy=f"for example {encoder}/mobilenetv2")
    lookup(ARCHITECTURES, arch, kind="architecture or folder")
    lookup(ENCODERS, encoder, kind="encoder, file or folder")
    height, width = imgsz or SIZE
    return NetworkSpec(size=(height, width), channels=1, arch=arch, encoder=encoder)


def _by_config(path: Path, imgsz: list[int] | None) -> NetworkSpec:
    from kseg.cli.options import overrides_from
    from kseg.config import load_config

    config = load_config(path, overrides_from(flags={"train.imgsz": imgsz}))
    labels = config.data.label_map()
    # Where the classes are known from the masks alone, one class against the background stands for them.
    channels = 1 if labels is None or labels.is_binary else labels.num_classes
    return config.model.network_spec(config.train.imgsz, channels)


def _by_file(path: Path, imgsz: list[int] | None) -> NetworkSpec:
    from kseg.card import read_card
    from kseg.inference import resolve_model
    from kseg.models import NetworkSpec

    model = resolve_model(path)
    if model.suffix.lower() != ".keras":
        raise ArtifactError(
            "only a Keras model can be looked into", where=str(model), expected="a run folder or a .keras file",
            remedy="name the run that it came from",
        )  # fmt: skip
    if imgsz is not None:
        raise UsageError("a trained model has a size of its own", where="--imgsz", remedy="leave --imgsz out")
    network = read_card(model).network
    if not network:
        raise ArtifactError(
            "the model's card does not say how the network is built", where=str(model),
            remedy="name its configuration instead, such as args.yaml in its run folder",
        )  # fmt: skip
    return NetworkSpec.from_json(network, where=str(model))
