"""Augment training samples by TensorFlow operations, eagerly or inside tf.data.

::

    Augment ──steps──▶  [mosaic] ▶ geometric run ▶ linear colour run ▶ gamma ▶ blur …
                          four       one matrix,       one matrix
                        samples     one resampling

The result depends only on the seed and the sample's position in the training. `apply` applies a list of transforms;
the other modules contain the transforms of one kind each.
"""
