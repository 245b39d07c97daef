"""From folders of pictures and masks to arrays of images and class ids.

::

    spec, sample, dataset    what a data set is
    formats/                 from files to samples: a reader a format, and the guess which one it is
    splits/                  which samples train, validate and test
    find                     the three together: find_dataset(spec) → Dataset
    inspection/              what is wrong with a data set, and what is in it
    pipeline/                decoded samples → varied → batches of tf.data (TensorFlow)
"""
