"""``tfds``: a data set of TensorFlow Datasets, with the optional extra ``kseg[tfds]``.

``data.root`` is the folder of TensorFlow Datasets (often ~/tensorflow_datasets), ``data.annotations`` the data set's
name: ``oxford_iiit_pet``, ``cityscapes/semantic_segmentation:1.0.0``. Images and masks are extracted once, still
encoded, to kseg's cache folder (see `kseg.files.cache_folder`).

With ``data.split`` by folders, a part is a split of the data set or a slice of one: ``train[:90%]``.
"""

from __future__ import annotations

import itertools
import logging
import os
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from kseg.data.formats.reader import Listing
from kseg.data.sample import Sample, SplitName
from kseg.data.spec import DataSpec
from kseg.errors import ConfigError, DataError, abbreviate
from kseg.files import cache_folder, make_folder, write_bytes

__all__ = ["read"]

_log = logging.getLogger("kseg")

_SPLITS: Final[dict[str, SplitName]] = {
    "train": "train", "validation": "val", "valid": "val", "val": "val", "test": "test",
}  # fmt: skip
_IMAGES: Final = ("image",)
_MASKS: Final = ("segmentation_mask", "segmentation_label", "segmentation", "mask", "image_label", "label")
_SUFFIXES: Final = {b"\x89PNG": ".png", b"\xff\xd8\xff": ".jpg"}


def read(spec: DataSpec, part: str | None) -> Listing:
    """Read the examples of a data set, in its own splits or in one part.

    Args:
        spec: ``images`` and ``masks`` name the features; with their defaults, the usual names are tried.
        part: A split of the data set, or a slice of one.

    Raises:
        ConfigError: TensorFlow Datasets is not installed; there is no such data set, split or feature.
        DataError: It cannot be downloaded or read.
        OutputError: The cache cannot be written.
    """
    builder = _builder(spec)
    features = [
        _feature(builder, spec.images, "images", _IMAGES), _feature(builder, spec.masks, "masks", _MASKS)
    ]  # fmt: skip
    if part is not None:
        name, begin, end = _parse_part(builder, part)
        return Listing(tuple(_cached(builder, name, features)[begin:end]))
    samples: list[Sample] = []
    splits: dict[str, SplitName] = {}
    for name in builder.info.splits:
        if name in _SPLITS:
            split_samples = _cached(builder, name, features)
            samples += split_samples
            splits |= {sample.key: _SPLITS[name] for sample in split_samples}
    if not samples:
        raise DataError(
            "no split is named train, validation or test", where="data.annotations",
            found=abbreviate(builder.info.splits), remedy="set data.split: {by: folders, train: …, val: …, test: …}",
        )  # fmt: skip
    return Listing(tuple(samples), splits=splits)


def _builder(spec: DataSpec) -> Any:
    """The builder of the data set, after download and preparation."""
    if spec.annotations is None:
        raise ConfigError(
            "no data set is named", where="data.annotations", expected="a TensorFlow Datasets name: oxford_iiit_pet"
        )
    tfds = _library()
    try:
        builder = tfds.builder(spec.annotations, data_dir=os.fspath(spec.root), try_gcs=False)
    except (tfds.core.DatasetNotFoundError, ValueError, AssertionError) as error:
        raise ConfigError(
            "no such data set", where="data.annotations", expected="a TensorFlow Datasets name: oxford_iiit_pet",
            found=f"{spec.annotations!r}: {str(error).strip().splitlines()[0]}",
        ) from error  # fmt: skip
    except ImportError as error:
        raise _not_installed(error) from error
    try:
        builder.download_and_prepare()
    except Exception as error:  # anything that a network, an archive or a builder's code can raise
        raise DataError(
            "the data set cannot be prepared", where=spec.annotations, found=f"{type(error).__name__}: {error}"
        ) from error
    return builder


def _library() -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # deprecation warnings of its dependencies
            import tensorflow_datasets as tfds
    except ImportError as error:
        raise _not_installed(error) from error
    return tfds


def _not_installed(error: ImportError) -> ConfigError:
    return ConfigError(
        f"needs {error.name or 'tensorflow_datasets'}, which is not installed", where="data.format: tfds",
        remedy="pip install 'kseg[tfds]'",
    )  # fmt: skip


def _feature(builder: Any, configured: str, default: str, usual_names: tuple[str, ...]) -> str:
    """The name of the image feature for images or masks: the configured one, else the first of the usual names."""
    tfds = _library()
    image_features = [key for key, feature in builder.info.features.items() if isinstance(feature, tfds.features.Image)]
    for name in usual_names if configured == default else (configured,):
        if name in image_features:
            return str(name)
    raise ConfigError(
        f"no feature for the {default}", where=f"data.{default}",
        expected=f"one of {abbreviate(image_features) or 'none'}",
        found=abbreviate(usual_names) if configured == default else configured,
    )  # fmt: skip


def _parse_part(builder: Any, part: str) -> tuple[str, int, int]:
    """``train[:90%]`` → the split, and the first and the end of the range of its examples."""
    tfds = _library()
    try:
        (instruction,) = tfds.core.ReadInstruction.from_spec(part).to_absolute(builder.info.splits)
    except (ValueError, KeyError, AssertionError) as error:
        raise ConfigError(
            "no such split", where="data.split", found=repr(part),
            expected=f"one of {abbreviate(builder.info.splits)}, or a slice: train[:90%]",
        ) from error  # fmt: skip
    return (
        instruction.splitname,
        instruction.from_ or 0,
        builder.info.splits[instruction.splitname].num_examples if instruction.to is None else instruction.to,
    )


# --- the cache --------------------------------------------------------------------------------------------------------


def _cached(builder: Any, split: str, features: list[str]) -> list[Sample]:
    """The samples of a split; files that are not in the cache yet are written."""
    folder = cache_folder() / "tfds" / builder.info.full_name.replace("/", "-") / "-".join(features) / split
    count = builder.info.splits[split].num_examples
    pairs = _files(folder, count)
    if len(pairs) < count:
        _log.info("writing the %d examples of %s, split %s, to %s", count, builder.info.full_name, split, folder)
        make_folder(folder)
        for index, example in enumerate(_examples(builder, split, features)):
            if index not in pairs:
                for feature, kind in zip(features, ("image", "mask"), strict=True):
                    _write(folder, index, kind, example[feature])
        pairs = _files(folder, count)
    if len(pairs) < count:
        raise DataError(
            "the data set has fewer examples than it states", where=f"{builder.info.full_name}, split {split}"
        )
    return [Sample(f"{split}/{index:06d}", *pairs[index]) for index in range(count)]


def _files(folder: Path, count: int) -> Mapping[int, tuple[Path, Path]]:
    """Example number → its image and mask in the cache, for examples that have both; files are written atomically."""
    names = set(os.listdir(folder)) if folder.is_dir() else set()
    pairs: dict[int, tuple[Path, Path]] = {}
    for index in range(count):
        pair = [
            folder / name
            for kind in ("image", "mask")
            for suffix in _SUFFIXES.values()
            if (name := _name(index, kind, suffix)) in names
        ]
        if len(pair) == 2:
            pairs[index] = pair[0], pair[1]
    return pairs


def _name(index: int, kind: str, suffix: str) -> str:
    return f"{index:06d}_{kind}{suffix}"


def _write(folder: Path, index: int, kind: str, data: bytes) -> None:
    suffix = next((suffix for start, suffix in _SUFFIXES.items() if data.startswith(start)), None)
    if suffix is None:
        raise DataError(f"example {index} has a {kind} that is neither PNG nor JPEG", where=str(folder))
    write_bytes(folder / _name(index, kind, suffix), data)


def _examples(builder: Any, split: str, features: list[str]) -> Iterator[Mapping[str, bytes]]:
    """The examples in a fixed order; images and masks are encoded bytes."""
    tfds = _library()
    try:
        data = builder.as_dataset(
            split=split, shuffle_files=False,
            read_config=tfds.ReadConfig(interleave_cycle_length=1, try_autocache=False),
            decoders={feature: tfds.decode.SkipDecoding() for feature in features},
        )  # fmt: skip
        yield from tfds.as_numpy(data)
    except (OSError, RuntimeError, ValueError) as error:
        reason = str(error).strip().splitlines()
        raise DataError(
            "the data set cannot be read", where=builder.info.full_name, found=abbreviate(itertools.islice(reason, 1))
        ) from error
