"""Pretrained weights, from a file or a library into a network; all of them or an error.

::

    source   what can be had for which encoder, told before Keras is loaded
    arrays   files → {name: array}, and nothing in them is run   (pickles: PyTorch's)
    names    what torch's and Keras' files call each weight of our networks
    match    arrays beside weights: everything fits, or an error lists what does not
    load     the four together, for a backbone; start, for a whole network of kseg
"""
