"""The pieces that networks are built from."""

from __future__ import annotations

import keras

from kseg.models.specs import Norm, Upsampling

__all__ = ["BATCH_NORM_MOMENTUM", "conv_block", "conv_norm_relu", "upsample"]

BATCH_NORM_MOMENTUM = 0.9
"""Keras' default of 0.99 needs hundreds of steps: a short training would be scored with stale statistics."""

GROUPS = 8


def _normalise(x: keras.KerasTensor, norm: Norm, name: str) -> keras.KerasTensor:
    if norm == "batch":
        return keras.layers.BatchNormalization(momentum=BATCH_NORM_MOMENTUM, name=f"{name}_norm")(x)
    if norm == "group":
        # Widths below 8, or not a multiple of it, take the largest number of groups that divides them.
        groups = max(g for g in range(1, GROUPS + 1) if x.shape[-1] % g == 0)
        return keras.layers.GroupNormalization(groups=groups, name=f"{name}_norm")(x)
    if norm == "layer":
        return keras.layers.LayerNormalization(name=f"{name}_norm")(x)
    return x


def conv_norm_relu(x: keras.KerasTensor, width: int, *, norm: Norm, name: str) -> keras.KerasTensor:
    """3×3 convolution, normalisation, ReLU; keeps the size."""
    x = keras.layers.Conv2D(
        width,
        3,
        padding="same",
        use_bias=norm == "none",  # the normalisation has a shift of its own
        kernel_initializer="he_normal",
        name=f"{name}_conv",
    )(x)
    return keras.layers.ReLU(name=f"{name}_relu")(_normalise(x, norm, name))


def conv_block(x: keras.KerasTensor, width: int, *, norm: Norm, name: str) -> keras.KerasTensor:
    """The U-Net's block: two 3×3 convolutions, each with normalisation and ReLU."""
    x = conv_norm_relu(x, width, norm=norm, name=f"{name}_1")
    return conv_norm_relu(x, width, norm=norm, name=f"{name}_2")


def upsample(x: keras.KerasTensor, width: int, *, how: Upsampling, name: str) -> keras.KerasTensor:
    """Twice the height and width, ``width`` channels."""
    if how == "transpose":
        return keras.layers.Conv2DTranspose(width, 2, strides=2, kernel_initializer="he_normal", name=f"{name}_up")(x)
    x = keras.layers.UpSampling2D(2, interpolation=how, name=f"{name}_up")(x)
    # A 1×1 convolution before the block would blur nothing and cost less, but 2×2 mirrors the transposed one.
    return keras.layers.Conv2D(width, 2, padding="same", kernel_initializer="he_normal", name=f"{name}_up_conv")(x)
