"""Convolution with a gradient of the filter that processors with AVX2 and no more compute fast, for training.

There oneDNN takes twice as long for the gradient of the filter as for the convolution itself, when the channels of a
pixel lie side by side, as TensorFlow has them. Products of matrices are faster: the upstream gradient is laid beside
itself, shifted by a column for each column of the filter, and multiplied with the input once for each row of the
filter, shifted by as many rows. The numbers are the same. Only networks under training hold this layer; what is saved
and exported has Keras' own.
"""

from __future__ import annotations

from typing import Any

import keras

__all__ = ["FastGradientConv2D"]


class FastGradientConv2D(keras.layers.Conv2D):
    """Keras' layer, weight for weight, on ``[B, H, W, C]`` of a known H and W.

    Of stride 1, padding ``same``, without groups or dilation; TensorFlow alone.
    """

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        """Convolve ``[B, H, W, C]`` to ``[B, H, W, filters]``, without the bias."""
        import tensorflow as tf

        @tf.custom_gradient  # type: ignore[untyped-decorator]
        def run(inputs: Any, kernel: Any) -> tuple[Any, Any]:
            outputs = tf.nn.conv2d(inputs, kernel, 1, "SAME")

            def gradients(upstream: Any) -> tuple[Any, Any]:
                known = tf.ensure_shape(upstream, outputs.shape)
                of_input = tf.raw_ops.Conv2DBackpropInput(
                    input_sizes=tf.shape(inputs), filter=kernel, out_backprop=known, strides=[1] * 4, padding="SAME"
                )
                return of_input, _filter_gradient(inputs, known, *kernel.shape[:2])

            return outputs, gradients

        return run(inputs, keras.ops.convert_to_tensor(kernel))


def _filter_gradient(inputs: Any, upstream: Any, rows: int, columns: int) -> Any:
    """Of a filter of so many rows and columns: ``[rows, columns, C, filters]``.

    A value of the filter weighs pixels that are so many lower and further right than what comes of them: the input is
    multiplied with the upstream gradient from as many higher and further left. In rows of zeros behind each image, a
    shift by whole rows is one by so many pixels in the flat list of all of them, which copies nothing.
    """
    import tensorflow as tf

    width, channels = inputs.shape[2:]
    filters = upstream.shape[3]
    above, left = rows // 2, columns // 2  # behind the input's last pixels TensorFlow's `SAME` puts the larger half
    padded = tf.pad(upstream, [(0, 0), (above, rows - 1 - above), (left, columns - 1 - left), (0, 0)])
    shifts = [padded[:, :, columns - 1 - j : columns - 1 - j + width] for j in range(columns)]
    beside = tf.reshape(tf.concat(shifts, 3), [-1, columns * filters])
    pixels = tf.reshape(tf.pad(inputs, [(0, 0), (0, rows - 1), (0, 0), (0, 0)]), [-1, channels])
    last = tf.shape(pixels)[0] - (rows - 1) * width

    def of_row(i: int) -> Any:
        shift = (rows - 1 - i) * width
        product = tf.matmul(pixels[:last], beside[shift : shift + last], transpose_a=True)
        return tf.transpose(tf.reshape(product, [channels, columns, filters]), [1, 0, 2])

    return tf.stack([of_row(i) for i in range(rows)])
