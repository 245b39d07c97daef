"""NAME of ``kseg models summary``: an encoder, an architecture and an encoder, a configuration, or a trained model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from kseg.errors import ArtifactError, UsageError

__all__ = ["find_network"]

SIZE = (256, 256)
SUFFIXES = {".yaml", ".yml", ".keras", ".tflite", ".onnx"}


def find_network(name: str, imgsz: list[int] | None) -> Callable[[], Any]:
    """What builds or loads the network that a name means; what is wrong with the name is told before Keras is loaded.

    Args:
        name: As given; names of the tables come before files and folders.
        imgsz: Height and width, or None for the file's own.

    Raises:
        UsageError: No such name; or a trained model is asked for another size than its own.
        ConfigError: The configuration is wrong.
        ArtifactError: No such model.
    """
    from kseg.models.tables import ARCHITECTURES, ENCODERS

    arch, _, encoder = name.rpartition("/")
    named = encoder in ENCODERS and (not arch or arch in ARCHITECTURES)
    path = Path(name)
    if named or not (path.exists() or path.suffix.lower() in SUFFIXES or "/" in arch):
        return _by_name(arch or "unet", encoder, imgsz)
    if path.suffix.lower() in (".yaml", ".yml"):
        return _by_config(path, imgsz)
    return _by_file(path, imgsz)


def _by_name(arch: str, encoder: str, imgsz: list[int] | None) -> Callable[[], Any]:
    from kseg.models import NetworkSpec
    from kseg.models.tables import ARCHITECTURES, ENCODERS
    from kseg.registry import lookup

    if encoder in ARCHITECTURES:
        raise UsageError("an architecture needs an encoder", where=encoder, remedy=f"for example {encoder}/mobilenetv2")
    lookup(ARCHITECTURES, arch, kind="architecture or folder")
    lookup(ENCODERS, encoder, kind="encoder, file or folder")
    height, width = imgsz or SIZE
    return _builder(NetworkSpec(size=(height, width), channels=1, arch=arch, encoder=encoder))


def _by_config(path: Path, imgsz: list[int] | None) -> Callable[[], Any]:
    from kseg.cli.options import overrides_from
    from kseg.config import load_config
    from kseg.training.prepare import network_spec

    config = load_config(path, overrides_from(flags={"train.imgsz": imgsz}))
    labels = config.data.label_map()
    # Where the masks have to tell the classes, one class against the background stands for them.
    return _builder(network_spec(config, 1 if labels is None or labels.is_binary else labels.num_classes))


def _builder(spec: Any) -> Callable[[], Any]:
    def build() -> Any:
        from kseg.models import build_model

        return build_model(spec)

    return build


def _by_file(path: Path, imgsz: list[int] | None) -> Callable[[], Any]:
    from kseg.inference import resolve_model

    model = resolve_model(path)
    if model.suffix.lower() != ".keras":
        raise ArtifactError(
            "only a Keras model can be looked into", where=str(model), expected="a run folder or a .keras file",
            remedy="name the run that it came from",
        )  # fmt: skip
    if imgsz is not None:
        raise UsageError("a trained model has a size of its own", where="--imgsz", remedy="leave --imgsz out")

    def load() -> Any:
        from kseg.models import load_model

        return load_model(model)[0]

    return load
