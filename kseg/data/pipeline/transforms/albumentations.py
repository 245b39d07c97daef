"""Load pipelines of albumentations, with the extra ``kseg[albumentations]``. Loads no TensorFlow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kseg.errors import ConfigError
from kseg.images import printable

__all__ = ["load_pipeline"]


def load_pipeline(path: Path) -> Any:
    """Load a pipeline that ``albumentations.save`` wrote; it is read as data, so the file cannot run code.

    Raises:
        ConfigError: albumentations is not installed, or the file holds no pipeline of it.
    """
    where = "augment.albumentations"
    try:
        import albumentations
    except ImportError:
        raise ConfigError(
            "albumentations is not installed", where=where, remedy="pip install 'kseg[albumentations]'"
        ) from None
    data_format = "json" if path.suffix.lower() == ".json" else "yaml"
    # On invalid files, the loaders raise all kinds of exceptions.
    try:
        pipeline = albumentations.load(path, data_format=data_format)
    except Exception as error:
        raise ConfigError(
            "not a pipeline of albumentations", where=where, expected="a file that albumentations.save wrote",
            found=f"{printable(path)}: {type(error).__name__}: {error}"[:200],
        ) from error  # fmt: skip
    if not callable(getattr(pipeline, "set_random_seed", None)):
        raise ConfigError(
            "not a pipeline of albumentations", where=where, expected="a Compose of albumentations 2",
            found=type(pipeline).__name__,
        )  # fmt: skip
    return pipeline
