"""Vary training samples by TensorFlow operations, eagerly or inside tf.data.

::

    Augment ──steps──▶  [mosaic] ▶ geometric run ▶ linear colour run ▶ gamma ▶ blur …
                          four       one matrix,       one matrix
                        samples     one resampling

What happens to a sample depends on the seed and on the sample's number in the training alone. `apply` runs a list of
transforms; each of the other modules holds transforms of one kind.
"""
