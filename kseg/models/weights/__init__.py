"""Pretrained weights, from a file or a library into a network; all of them or an error.

::

    source   which weights there are for an encoder, checked before Keras is loaded
    arrays   files → {name: array}; no code in them is run   (pickles: PyTorch's)
    names    the name that PyTorch's and Keras' files have for each weight of our networks
    match    the array of each weight: all fit, or an error lists what does not
    load     the four together, for a backbone; start, for a whole network of kseg
"""
