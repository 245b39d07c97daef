"""One functional ``keras.Model`` from a `NetworkSpec`."""

from __future__ import annotations

from pathlib import Path

import keras

from kseg.models.blocks import conv_block, upsample
from kseg.models.encoders import BUILDERS
from kseg.models.specs import ENCODERS, NetworkSpec

__all__ = ["build_model"]


def build_model(
    spec: NetworkSpec,
    *,
    logits: bool = False,
    weights: str | Path | None = None,
    precision: str = "float32",
) -> keras.Model:
    """Build the network.

    Args:
        spec: The structure.
        logits: End in the raw scores, for the loss, instead of in the activation.
        weights: Pretrained weights of the encoder: ``imagenet``, a file, or None for random ones.
        precision: Keras' dtype policy of the layers; the head and the activation are float32 whatever it is.

    Returns:
        A functional model: float32 images ``[B, H, W, 3]`` with raw values 0..255 → float32 ``[B, H, W, C]``,
        probabilities, or logits if asked. Plain Keras layers only; the weights come in the same order for every
        ``logits`` and ``precision``, so ``set_weights(get_weights())`` carries them over.
    """
    earlier = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        image = keras.Input((*spec.size, 3), name="image", dtype="float32")
        scale, offset = spec.rescaling
        x = keras.layers.Rescaling(list(scale), list(offset), name="normalize")(image)
        skips, x = BUILDERS[spec.encoder](x, spec, None if weights is None else str(weights))
        if not ENCODERS[spec.encoder].fixed:
            x = _bottleneck(x, spec)
        x = _decoder(x, skips, spec)
        x = keras.layers.Conv2D(spec.channels, 1, name="logits", dtype="float32")(x)
        if not logits:
            activation = "sigmoid" if spec.channels == 1 else "softmax"
            x = keras.layers.Activation(activation, name="scores", dtype="float32")(x)
        return keras.Model(image, x, name=f"{spec.arch}_{spec.encoder}")
    finally:
        keras.config.set_dtype_policy(earlier)


def _bottleneck(x: keras.KerasTensor, spec: NetworkSpec) -> keras.KerasTensor:
    x = conv_block(x, 2 * spec.down_widths[-1], norm=spec.norm, name="bottleneck")
    return _dropout(x, spec.dropout)


def _dropout(x: keras.KerasTensor, rate: float) -> keras.KerasTensor:
    # Whole channels: neighbouring pixels are so alike that dropping single ones hides nothing.
    return keras.layers.SpatialDropout2D(rate, name="dropout")(x) if rate else x


def _decoder(x: keras.KerasTensor, skips: list[keras.KerasTensor], spec: NetworkSpec) -> keras.KerasTensor:
    """Step up to the image's size, joining the skip of each size; a step without a skip has none to join."""
    widths = spec.decoder_widths or spec.up_widths
    coarse_first: list[keras.KerasTensor | None] = [*reversed(skips)]
    coarse_first += [None] * (len(widths) - len(skips))
    for level, (width, skip) in enumerate(zip(widths, coarse_first, strict=True)):
        x = upsample(x, width, how=spec.upsampling, name=f"decoder{level}")
        if skip is not None:
            x = keras.layers.Concatenate(name=f"decoder{level}_skip")([skip, x])
        x = conv_block(x, width, norm=spec.norm, name=f"decoder{level}")
    return x
