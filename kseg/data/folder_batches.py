"""`from_folder`: batches of a folder of images and masks, for a training of one's own."""

from __future__ import annotations

import dataclasses
import math
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Literal, get_args

import yaml

from kseg.augment import parse
from kseg.data.find import find_dataset
from kseg.data.inspection.fix import read_folder
from kseg.data.inspection.inspect import check_dataset
from kseg.data.inspection.survey import Survey
from kseg.data.pipeline.arrays import Streamed, load_arrays
from kseg.data.pipeline.cache import SampleStore, fill_cache
from kseg.data.sample import SplitName
from kseg.data.spec import DataSpec, Split
from kseg.errors import KsegError, UsageError
from kseg.files import expand_home
from kseg.registry import lookup
from kseg.sizes import Size
from kseg.tensorflow_runtime import load_tensorflow

if TYPE_CHECKING:
    import tensorflow as tf

__all__ = ["from_folder"]

Cache = Literal["ram", "disk", "none"]


@contextmanager
def _errors_by_argument() -> Iterator[None]:
    """Errors of the block name arguments, where they would name settings of a configuration."""
    try:
        yield
    except KsegError as error:
        where, remedy = (text and _by_argument(text) for text in (error.where, error.remedy))
        raise type(error)(
            error.what, where=where, expected=error.expected, found=error.found, remedy=remedy
        ) from error.__cause__


def _by_argument(text: str) -> str:
    text = re.sub(r"\bdata\.(\w+): (\{[^{}]*\}|\[[^\[\]]*\]|[^\s;,{\[]+)", _assignment, text)
    text = re.sub(r"\bdata\.(\w+)\b", r"\1", text)
    return re.sub(r"--cache (\w+)", r'cache="\1"', text)


def _assignment(match: re.Match[str]) -> str:
    """A line of YAML as an argument of Python: ``data.values: {0: a}`` → ``values={0: 'a'}``."""
    name, value = match[1], match[2]
    with suppress(yaml.YAMLError):
        value = value if "…" in value else repr(yaml.safe_load(value))
    return f"{name}={value}"


@_errors_by_argument()
def from_folder(
    folder: str | os.PathLike[str] | DataSpec,
    *,
    size: Size = (256, 256),
    batch: int = 8,
    augment: str | Sequence[Any] | Mapping[str, Any] = "none",
    classes: Sequence[str] | None = None,
    values: Mapping[int | str, str] | None = None,
    split: Split | None = None,
    seed: int = 0,
    cache: Cache = "ram",
    **settings: Any,
) -> tuple[tf.data.Dataset, tf.data.Dataset]:
    """The training and the validation batches of a data set, for ``model.fit`` on TensorFlow or JAX.

    Args:
        folder: A folder of images and masks, read as ``kseg data check`` reads it, with every setting that is certain;
            or a `DataSpec`.
        size: Height and width that images and masks are resized to. Defaults to 256 × 256.
        batch: Images a batch. Defaults to 8.
        augment: How training images are varied: a preset (``light``, ``medium``, ``heavy``) or a list of transforms,
            as in the section ``augment`` of a configuration. Defaults to ``none``.
        classes: The names of the classes by class id. Defaults to what the data tell.
        values: Mask value on disk → class name. Defaults to what the data tell.
        split: Which samples train and validate. Defaults to what the folder tells, else 80 % and 10 % at random.
        seed: Decides the order of the samples and their variations.
        cache: Where decoded images are kept: ``ram``, ``disk`` or ``none``. Defaults to ``ram``.
        settings: Further settings of the data set: the fields of `DataSpec`, such as ``unused=["depth"]``.

    Returns:
        Two data sets of pairs of images, float32 ``[B, H, W, 3]`` in 0..255, and class ids, uint8 ``[B, H, W]``, 255
        where the truth is unknown. Each pass over the first is an epoch with an order and variations of its own, in
        full batches; the second has every sample once, in order.

    Raises:
        UnknownNameError: There is no such setting.
        ConfigError, UsageError: An argument is wrong, or the batch is larger than the training data.
        DataError: The images or masks cannot be used, or a question about them has to be answered; the message has the
            argument.

    Example:

    ::

        train, val = kseg.data.from_folder("photos", size=(256, 256), batch=8, augment="light")
        model.fit(train, validation_data=val, epochs=30)
    """
    fields = {field.name: True for field in dataclasses.fields(DataSpec)}
    for name in settings:
        lookup(fields, name, kind="setting", where="kseg.data.from_folder")
    named: dict[str, Any] = {"classes": classes and tuple(classes), "values": values, "split": split, **settings}
    own_settings = {name: value for name, value in named.items() if value is not None}
    survey: Survey | None = None
    if isinstance(folder, DataSpec):
        spec = dataclasses.replace(folder, **own_settings)
    else:
        checked = read_folder(expand_home(folder), own_settings, in_python=True)
        spec, survey = checked.settings, checked.inspection.survey
    variations = parse(list(augment) if isinstance(augment, tuple) else augment)
    lookup(dict.fromkeys(get_args(Cache), True), cache, kind="cache", where="cache")
    dataset = find_dataset(spec)
    total = len(dataset.samples("train"))
    if not 1 <= batch <= total:
        raise UsageError(
            "the batch does not fit the training data", where="batch", expected=f"1 to {total} images", found=str(batch)
        )
    check_dataset(dataset, spec, earlier=survey)

    def decoded(name: SplitName) -> SampleStore:
        samples = dataset.samples(name)
        if cache == "none":
            return Streamed(samples, dataset.labels, size)
        return (load_arrays if cache == "ram" else fill_cache)(samples, dataset.labels, size)

    load_tensorflow(onednn=True)
    from kseg.data.pipeline.batches import epoch_batches, eval_batches

    train = epoch_batches(
        decoded("train"), batch=batch, seed=seed, augment=variations, background=dataset.labels.background
    )
    passes = math.ceil(len(dataset.samples("val")) / batch)
    return train, eval_batches(decoded("val"), batch=batch).take(passes)
