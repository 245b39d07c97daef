"""Encoders from ``keras.applications`` and KerasHub.

A backbone is built by its library, takes its weights, and is then copied layer by layer into the network, so that a
network is one flat graph of Keras layers that loads without the library. The copies have names that begin with
``encoder`` and are the same every time, and a batch normalisation momentum that short trainings need.
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
from kseg.models.encoders.features import PREFIX, Features
from kseg.models.specs import NetworkSpec
from kseg.models.weights.load import load_file
from kseg.models.weights.source import IMAGENET

__all__ = ["BACKBONES", "copy_backbone"]


class Backbone(NamedTuple):
    """A network of a library, and its features by stride."""

    model: keras.Model
    features: Features


Builder = Callable[[tuple[int, int, int], str | None], Backbone]
"""The image's shape and the weights → a backbone."""


def _application(name: str, downsampling: tuple[str, ...], **settings: Any) -> Builder:
    """One of ``keras.applications``.

    Args:
        name: The function's name.
        downsampling: The layers whose inputs are the features at strides 2, 4, 8 and 16; those at 32 are the output.
        **settings: Further arguments of the function.
    """

    def network(shape: tuple[int, int, int], weights: str | None) -> keras.Model:
        with warnings.catch_warnings():
            # Keras warns that the weights are of another size than ours, which is no matter to convolutions.
            warnings.filterwarnings("ignore", message="`input_shape` is undefined or non-square")
            return getattr(keras.applications, name)(input_shape=shape, include_top=False, weights=weights, **settings)

    def build(shape: tuple[int, int, int], weights: str | None) -> Backbone:
        try:
            model = network(shape, IMAGENET if weights == IMAGENET else None)
        except Exception as error:  # of that very class where Keras' download fails
            if weights != IMAGENET:
                raise
            network(shape, None)  # where the network itself is at fault, this raises its error
            raise ArtifactError(
                "the encoder's weights cannot be loaded", where="model.weights",
                found=f"{weights} ({' '.join(str(error).split())[:200]})",
                remedy=f"offline, name a {name} 'no_top' weights file of keras.applications: see docs/encoders.md",
            ) from error  # fmt: skip
        if weights is not None and weights != IMAGENET:
            load_file(model, Path(weights))
        skips = {2**level: model.get_layer(layer).input for level, layer in enumerate(downsampling, 1)}
        return Backbone(model, {**skips, 32: model.output})

    return build


def _hub(name: str) -> Builder:
    def build(shape: tuple[int, int, int], weights: str | None) -> Backbone:
        model = hub.backbone(name, shape, weights)
        return Backbone(model, hub.features(name, model))

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


BACKBONES: Final = frozenset(_BUILDERS)
"""The encoders that come from a library."""


def copy_backbone(x: keras.KerasTensor, spec: NetworkSpec, weights: str | None) -> Features:
    """Copy the backbone that ``spec.encoder`` names into the graph that ``x`` belongs to.

    Args:
        x: The scaled image, ``[B, H, W, 3]``.
        spec: The network.
        weights: ``imagenet`` (downloaded and checked by the library), a file, what else the library reads, or None.

    Raises:
        ConfigError: KerasHub is needed and missing.
        ArtifactError: The weights cannot be loaded.
    """
    backbone = _BUILDERS[spec.encoder]((*spec.size, 3), weights)
    strides = list(backbone.features)
    inner = keras.Model(backbone.model.inputs[0], list(backbone.features.values()))
    copy = keras.models.clone_model(inner, clone_function=_copier())
    copy.set_weights(inner.get_weights())
    # `call`, and not the model itself, which would become one layer of the network.
    return dict(zip(strides, keras.tree.flatten(copy.call(x)), strict=True))


def _copier() -> Callable[[keras.Layer], keras.Layer]:
    """A function that copies the layers of one backbone, under names that do not depend on earlier networks."""
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
