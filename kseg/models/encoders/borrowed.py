"""Encoders from ``keras.applications`` and KerasHub, whose graphs and weights are better kept than ours would be.

A backbone is built as its library does it, takes its weights, and is then copied layer by layer into the network: with
names that begin with ``encoder`` and are the same every time, and a momentum that short trainings need. So a network is
one flat graph of Keras layers, which loads without the library.
"""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

import keras

from kseg.errors import ArtifactError
from kseg.models.blocks import BATCH_NORM_MOMENTUM
from kseg.models.encoders import hub
from kseg.models.encoders.contract import PREFIX, Encoded
from kseg.models.specs import NetworkSpec
from kseg.models.weights.load import load_file
from kseg.models.weights.source import IMAGENET

__all__ = ["BORROWED", "borrow"]


class Borrowed(NamedTuple):
    """A backbone and its features by stride."""

    model: keras.Model
    features: Encoded


Builder = Callable[[tuple[int, int, int], str | None], Borrowed]


def _application(name: str, before: tuple[str, ...], **settings: Any) -> Builder:
    """One of ``keras.applications``: what goes into the layers ``before`` is at strides 2, 4, 8, 16, its end at 32."""

    def build(shape: tuple[int, int, int], weights: str | None) -> Borrowed:
        source = IMAGENET if weights == IMAGENET else None
        try:
            with warnings.catch_warnings():
                # Keras warns that the weights are of another size than ours, which is no matter to convolutions.
                warnings.filterwarnings("ignore", message="`input_shape` is undefined or non-square")
                model = getattr(keras.applications, name)(
                    input_shape=shape, include_top=False, weights=source, **settings
                )
        except Exception as error:  # of that very class where Keras' download fails
            raise ArtifactError(
                "the encoder's weights cannot be loaded", where="model.weights",
                found=f"{weights} ({' '.join(str(error).split())[:200]})",
                remedy=f"offline, name a {name} 'no_top' weights file of keras.applications: see docs/encoders.md",
            ) from error  # fmt: skip
        if weights is not None and weights != IMAGENET:
            load_file(model, Path(weights))
        skips = {2**level: model.get_layer(layer).input for level, layer in enumerate(before, 1)}
        return Borrowed(model, {**skips, 32: model.output})

    return build


def _hub(name: str) -> Builder:
    def build(shape: tuple[int, int, int], weights: str | None) -> Borrowed:
        model = hub.backbone(name, shape, weights)
        return Borrowed(model, hub.features(name, model))

    return build


_BUILDERS: Final[dict[str, Builder]] = {
    "mobilenetv2": _application("MobileNetV2", tuple(f"block_{i}_pad" for i in (1, 3, 6, 13))),
    "mobilenetv3_small": _application(
        "MobileNetV3Small",
        ("expanded_conv_depthwise_pad", *(f"expanded_conv_{i}_depthwise_pad" for i in (1, 3, 8))),
        include_preprocessing=False,
    ),
    "mobilenetv3_large": _application(
        "MobileNetV3Large",
        tuple(f"expanded_conv_{i}_depthwise_pad" for i in (1, 3, 6, 12)),
        include_preprocessing=False,
    ),
    **{name: _hub(name) for name in hub.NAMES},
}


BORROWED: Final = frozenset(_BUILDERS)


def borrow(x: keras.KerasTensor, spec: NetworkSpec, weights: str | None) -> Encoded:
    """Copy the encoder that ``spec`` names into the graph that ``x`` belongs to.

    Args:
        x: The scaled image, ``[B, H, W, 3]``.
        spec: The network.
        weights: ``imagenet`` (downloaded and checked by the library), what else its builder takes, or None.

    Raises:
        ConfigError: KerasHub is needed and missing.
        ArtifactError: The weights cannot be loaded.
    """
    found = _BUILDERS[spec.encoder]((*spec.size, 3), weights)
    strides = list(found.features)
    inner = keras.Model(found.model.inputs[0], list(found.features.values()))
    copy = keras.models.clone_model(inner, clone_function=_copier())
    copy.set_weights(inner.get_weights())
    # `call`, and not the model itself, which would become one layer of the network.
    return dict(zip(strides, keras.tree.flatten(copy.call(x)), strict=True))


def _copier() -> Callable[[keras.Layer], keras.Layer]:
    numbers: Counter[str] = Counter()

    def copy(layer: keras.Layer) -> keras.Layer:
        config = layer.get_config()
        kind = re.sub(r"(?<!^)(?=[A-Z])", "_", type(layer).__name__).lower()
        if re.sub(r"_\d+$", "", layer.name).replace("_", "") == kind.replace("_", ""):
            # Named by Keras, with a number that depends on what was built before.
            numbers[kind] += 1
            config["name"] = f"{kind}_{numbers[kind]}"
        config["name"] = f"{PREFIX}_{config['name']}"
        if isinstance(layer, keras.layers.BatchNormalization):
            # Often built with 0.999: after a short fine-tuning its statistics would still be ImageNet's.
            config["momentum"] = BATCH_NORM_MOMENTUM
        return type(layer).from_config(config)

    return copy
