"""The blocks that networks are built from. Each takes a tensor and the beginning of its layers' names."""

from __future__ import annotations

from dataclasses import dataclass

import keras

from kseg.models.specs import NetworkSpec
from kseg.models.tables import Block, BlockActivation, Norm, Upsampling

__all__ = ["BATCH_NORM_MOMENTUM", "Style", "attention_gate", "block", "conv", "head", "upsample"]

BATCH_NORM_MOMENTUM = 0.9
"""Keras' default of 0.99 needs hundreds of steps: a short training would be scored with stale statistics."""

GROUPS = 8
"""Groups of a group normalisation, where that many divide the channels."""


@dataclass(frozen=True)
class Style:
    """The choices that all blocks of a network share, see `NetworkSpec`."""

    norm: Norm
    block: Block
    activation: BlockActivation
    upsampling: Upsampling = "transpose"

    @classmethod
    def of(cls, spec: NetworkSpec) -> Style:
        """The style that a network's structure asks for."""
        return cls(spec.resolved_norm, spec.resolved_block, spec.block_activation, spec.upsampling)


def conv(
    x: keras.KerasTensor,
    width: int,
    style: Style,
    name: str,
    *,
    size: int = 3,
    rate: int = 1,
    separable: bool = False,
    active: bool = True,
) -> keras.KerasTensor:
    """A convolution that keeps the size, its normalisation and, unless it is not ``active``, its activation.

    Args:
        x: ``[B, H, W, C]``.
        width: Channels of the result.
        style: The network's style.
        name: How the layers' names begin.
        size: Side of the kernel.
        rate: Dilation of the kernel (atrous convolution).
        separable: Whether it is a depthwise convolution followed by a pointwise one.
        active: Whether the activation follows.
    """
    if separable:
        x = keras.layers.DepthwiseConv2D(
            size, padding="same", dilation_rate=rate, use_bias=False, depthwise_initializer="he_normal",
            name=f"{name}_depthwise",
        )(x)  # fmt: skip
        size, rate = 1, 1
    x = keras.layers.Conv2D(
        width,
        size,
        padding="same",
        dilation_rate=rate,
        use_bias=style.norm == "none",  # the normalisation has a shift of its own
        kernel_initializer="he_normal",
        name=f"{name}_conv",
    )(x)
    x = _normalise(x, style.norm, name)
    return activate(x, style, name) if active else x


def activate(x: keras.KerasTensor, style: Style, name: str) -> keras.KerasTensor:
    """Apply the activation of the network's blocks."""
    if style.activation == "relu":
        return keras.layers.ReLU(name=f"{name}_relu")(x)
    return keras.layers.Activation(style.activation, name=f"{name}_{style.activation}")(x)


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


def block(x: keras.KerasTensor, width: int, style: Style, name: str) -> keras.KerasTensor:
    """The U-Net's block, two 3×3 convolutions: plain, around a shortcut, or depthwise-separable, as the style says.

    Args:
        x: ``[B, H, W, C]``.
        width: Channels of the result, ``[B, H, W, width]``.
        style: The network's style.
        name: How the layers' names begin.
    """
    separable = style.block == "separable"
    if style.block != "residual":
        x = conv(x, width, style, f"{name}_1", separable=separable)
        return conv(x, width, style, f"{name}_2", separable=separable)
    inner = conv(x, width, style, f"{name}_1")
    inner = conv(inner, width, style, f"{name}_2", active=False)
    shortcut = x if x.shape[-1] == width else conv(x, width, style, f"{name}_shortcut", size=1, active=False)
    return activate(keras.layers.Add(name=f"{name}_add")([shortcut, inner]), style, name)


def upsample(x: keras.KerasTensor, width: int, style: Style, name: str) -> keras.KerasTensor:
    """``[B, H, W, C]`` → ``[B, 2H, 2W, width]``, by a transposed convolution or an interpolation."""
    if style.upsampling == "transpose":
        return keras.layers.Conv2DTranspose(width, 2, strides=2, kernel_initializer="he_normal", name=f"{name}_up")(x)
    # A 1×1 convolution and an interpolation commute; in this order it has a quarter of the pixels.
    x = keras.layers.Conv2D(width, 1, kernel_initializer="he_normal", name=f"{name}_up_conv")(x)
    return keras.layers.UpSampling2D(2, interpolation=style.upsampling, name=f"{name}_up")(x)


def attention_gate(skip: keras.KerasTensor, x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """Weight each position of a skip connection by a number in 0..1 (Oktay et al. 2018).

    ``skip · σ(ψ(relu(θ skip + φ x)))`` with 1×1 convolutions θ, φ and ψ, https://arxiv.org/abs/1804.03999. There ``x``
    is coarser than the skip; here it is upsampled first.

    Args:
        skip: Features of the encoder, ``[B, H, W, C]``.
        x: Upsampled features of the decoder, ``[B, H, W, D]``.
        name: How the layers' names begin.

    Returns:
        ``[B, H, W, C]``.
    """
    inner = max(1, skip.shape[-1] // 2)
    theta = keras.layers.Conv2D(inner, 1, use_bias=False, name=f"{name}_theta")(skip)
    phi = keras.layers.Conv2D(inner, 1, name=f"{name}_phi")(x)
    both = keras.layers.ReLU(name=f"{name}_gate_relu")(keras.layers.Add(name=f"{name}_gate_add")([theta, phi]))
    weight = keras.layers.Conv2D(1, 1, activation="sigmoid", name=f"{name}_psi")(both)
    return keras.layers.Multiply(name=f"{name}_gated")([skip, weight])


def head(x: keras.KerasTensor, spec: NetworkSpec, name: str) -> keras.KerasTensor:
    """Features of any stride → float32 logits at the image's size, ``[B, H, W, spec.channels]``."""
    x = keras.layers.Conv2D(spec.channels, 1, name=name, dtype="float32")(x)
    factor = spec.size[0] // x.shape[1]
    if factor == 1:
        return x
    return keras.layers.UpSampling2D(factor, interpolation="bilinear", name=f"{name}_up", dtype="float32")(x)
