"""From samples to batches. `arrays`, `cache` and `balance` do without TensorFlow, the rest is tf.data.

::

    arrays, cache   decode and resize a split once, into memory or files
    decode, fetch   get a sample inside TensorFlow's graph, from memory, from the cache, or by decoding
    order           the order of the samples
    transforms/     augmentation of a sample
    batches         all of the above: train_batches, eval_batches
    balance         weights against class imbalance
"""
