"""One functional ``keras.Model`` from a `NetworkSpec`."""

from __future__ import annotations

from pathlib import Path

import keras

from kseg.models.blocks import head
from kseg.models.bottlenecks import bottleneck
from kseg.models.decoders import DECODERS
from kseg.models.encoders import encode
from kseg.models.specs import NetworkSpec
from kseg.models.supervision import add_auxiliaries

__all__ = ["build_model"]


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
    """
    earlier = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        image = keras.Input((*spec.size, 3), name="image", dtype="float32")
        scale, offset = spec.rescaling
        x = keras.layers.Rescaling(list(scale), list(offset), name="normalize")(image)
        features = encode(x, spec, None if weights is None else str(weights))
        x = bottleneck(features.pop(spec.stride), spec)
        *coarser, x = DECODERS[spec.arch](x, features, spec)
        x = head(x, spec, "logits")
        if supervised:
            x = add_auxiliaries(x, coarser, spec)
        elif not logits:
            activation = "sigmoid" if spec.channels == 1 else spec.head
            x = keras.layers.Activation(activation, name="scores", dtype="float32")(x)
        return keras.Model(image, x, name=f"{spec.arch}_{spec.encoder}")
    finally:
        keras.config.set_dtype_policy(earlier)
