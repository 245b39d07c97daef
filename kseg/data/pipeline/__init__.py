"""From samples to batches. `arrays`, `cache` and `balance` need no TensorFlow, the rest is tf.data.

::

    arrays, cache   a split decoded and resized once, in memory or in files
    decode, fetch   a sample in TensorFlow's graph, from memory, from the cache, or decoded anew
    order           which sample comes when
    transforms/     how a sample is varied
    batches         the four together: train_batches, eval_batches
    balance         weights that make up for rare classes
"""
