"""The layers between encoder and decoder: none, a block, self-attention, or atrous convolutions."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import keras

from kseg.models.blocks import Style, block, conv
from kseg.models.specs import NetworkSpec

__all__ = ["bottleneck"]

_REACH: Final = (96, 192, 288)
"""Dilations of the atrous convolutions in pixels of the image: rates 6, 12, 18 at stride 16."""


def bottleneck(x: keras.KerasTensor, spec: NetworkSpec) -> keras.KerasTensor:
    """The network's bottleneck, ``[B, h, w, C]`` → ``[B, h, w, D]``, with its dropout."""
    style, kind = Style.of(spec), spec.resolved_bottleneck
    # The encoders plain and residual end in a pooling: this block is the deepest one of the U-Net.
    if kind != "none" and (kind == "conv" or x.shape[-1] != spec.coarsest_width):
        x = block(x, spec.coarsest_width, style, "bottleneck")
    if kind == "attention":
        x = _self_attention(x, spec.attention_heads)
    if kind == "aspp":
        x = _aspp(x, spec, style)
    # Whole channels: neighbouring pixels are so alike that dropping single ones hides nothing.
    return keras.layers.SpatialDropout2D(spec.dropout, name="dropout")(x) if spec.dropout else x


def _self_attention(x: keras.KerasTensor, heads: int) -> keras.KerasTensor:
    """``x + attention(norm(x))`` over all positions, with scaled dot products (Vaswani et al. 2017).

    https://arxiv.org/abs/1706.03762. The normalisation comes first (Xiong et al. 2020,
    https://arxiv.org/abs/2002.04745), so that the layer begins close to the identity.
    """
    _, height, width, channels = x.shape
    positions = keras.layers.Reshape((height * width, channels), name="attention_positions")(x)
    normalized = keras.layers.LayerNormalization(name="attention_norm")(positions)
    attention = keras.layers.MultiHeadAttention(heads, channels // heads, flash_attention=False, name="attention")
    positions = keras.layers.Add(name="attention_add")([positions, attention(normalized, normalized)])
    return keras.layers.Reshape((height, width, channels), name="attention_map")(positions)


def _aspp(x: keras.KerasTensor, spec: NetworkSpec, style: Style) -> keras.KerasTensor:
    """Atrous spatial pyramid pooling (Chen et al. 2018, https://arxiv.org/abs/1802.02611).

    A 1×1 convolution, three dilated 3×3 ones, and the mean of the whole image, side by side, then mixed by a 1×1
    convolution.
    """
    _, height, width, _ = x.shape
    channels = spec.resolved_decoder_widths[0]
    views = [conv(x, channels, style, "aspp_0", size=1)]
    for number, reach in enumerate(_REACH, 1):
        # Beyond the features' own size the kernel would meet nothing but padding.
        rate = max(1, min(reach // spec.stride, max(height, width) - 1))
        separable = style.block == "separable"
        views.append(conv(x, channels, style, f"aspp_{number}", rate=rate, separable=separable))
    mean = keras.layers.GlobalAveragePooling2D(keepdims=True, name="aspp_mean")(x)
    # One position an image gives no useful batch statistics, so this convolution goes without a normalisation.
    mean = conv(mean, channels, replace(style, norm="none"), "aspp_mean", size=1)
    views.append(keras.layers.UpSampling2D((height, width), name="aspp_mean_up")(mean))
    return conv(keras.layers.Concatenate(name="aspp_views")(views), channels, style, "aspp_mix", size=1)
