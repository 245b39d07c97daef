"""One functional ``keras.Model`` from a `NetworkSpec`.

`build_graph` is the network, step by step; `build_model` ends it in what is asked for; `kseg.models.inspect` measures
its steps.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, NamedTuple

import keras

from kseg.models.blocks import head
from kseg.models.bottlenecks import bottleneck
from kseg.models.decoders import DECODERS
from kseg.models.encoders.encode import encode
from kseg.models.specs import NetworkSpec
from kseg.models.supervision import add_auxiliaries
from kseg.tensorflow_runtime import set_keras_defaults

__all__ = ["Graph", "Kind", "Step", "build_graph", "build_model"]

Kind = Literal["image", "normalization", "encoder", "bottleneck", "decoder", "head"]


class Step(NamedTuple):
    """One step from the image to the logits: the layers that its output needs and no earlier step does.

    Args:
        name: Unique: the kind; of an encoder's with the stride, of a decoder's as its layers' names begin.
        kind: What it is.
        output: ``[B, H / stride, W / stride, C]``.
    """

    name: str
    kind: Kind
    output: keras.KerasTensor


class Graph(NamedTuple):
    """A network by its steps.

    Args:
        steps: In the order of the computation, from the image to the logits.
        coarser: The levels of the decoder before the last, the coarsest first; see `kseg.models.decoders`.
    """

    steps: tuple[Step, ...]
    coarser: tuple[keras.KerasTensor, ...]


def build_graph(spec: NetworkSpec, weights: str | None = None) -> Graph:
    """Connect the layers of a network.

    Args:
        spec: The structure.
        weights: Pretrained weights of the encoder: ``imagenet``, a file, or None for random ones.

    Raises:
        ConfigError: There are no such weights, or an extra of kseg is missing.
        ArtifactError: The weights cannot be loaded.
    """
    image = keras.Input((*spec.size, 3), name="image", dtype="float32")
    scale, offset = spec.rescaling
    scaled = keras.layers.Rescaling(list(scale), list(offset), name="normalize")(image)
    features = encode(scaled, spec, weights)
    deepest = bottleneck(features[spec.stride], spec)
    decoder = DECODERS[spec.arch](deepest, features, spec)
    *coarser, finest = decoder.levels
    steps = (
        Step("image", "image", image),
        Step("normalization", "normalization", scaled),
        *(Step(f"encoder {stride}", "encoder", output) for stride, output in features.items()),
        Step("bottleneck", "bottleneck", deepest),
        *(Step(name, "decoder", output) for name, output in decoder.steps.items()),
        Step("head", "head", head(finest, spec, "logits")),
    )
    return Graph(steps, tuple(coarser))


def build_model(
    spec: NetworkSpec,
    *,
    logits: bool = False,
    supervised: bool = False,
    weights: str | Path | None = None,
    precision: str = "float32",
) -> keras.Model:
    """Build the network.

    Args:
        spec: The structure.
        logits: End in the raw scores, for the loss, instead of in the activation.
        supervised: End in the raw scores of all levels of the decoder, side by side, for the loss of a deep
            supervision; see `kseg.models.supervision`, which finds the plain network in it.
        weights: Pretrained weights of the encoder: ``imagenet``, a file, or None for random ones.
        precision: Keras' dtype policy of the layers; the head and the activation are float32 whatever it is.

    Returns:
        A functional model: float32 images ``[B, H, W, 3]`` with raw values 0..255 → float32 ``[B, H, W, C]``,
        probabilities, or logits if asked. Plain Keras layers only; the weights come in the same order for every
        ``logits`` and ``precision``, so ``set_weights(get_weights())`` carries them over; ``supervised`` adds others.

    Raises:
        ConfigError: There are no such weights, or an extra of kseg is missing.
        ArtifactError: The weights cannot be loaded.

    Example:

    ::

        model = build_model(NetworkSpec(size=(256, 256), channels=3, encoder="mobilenetv2"))
    """
    set_keras_defaults()
    with _dtype_policy(precision):
        graph = build_graph(spec, None if weights is None else str(weights))
        image, x = graph.steps[0].output, graph.steps[-1].output
        if supervised:
            x = add_auxiliaries(x, graph.coarser, spec)
        elif not logits:
            activation = "sigmoid" if spec.channels == 1 else spec.activation
            x = keras.layers.Activation(activation, name="scores", dtype="float32")(x)
        return keras.Model(image, x, name=spec.name)


@contextmanager
def _dtype_policy(policy: str) -> Iterator[None]:
    """Keras' global dtype policy within the block."""
    earlier = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(earlier)
