"""Losses on logits: functions first, one Keras class as a thin wrapper. ``keras.ops`` only, float32.

::

    expression   the table of losses and their arguments; parse_loss. No Keras: a misspelt loss is told before it loads
    prepare      what all share: ids and logits -> the pixels that count, truth, scores, class weights
    pixel        cross_entropy, bce, focal           a mean over pixels
    region       dice, jaccard, tversky, …           a mean over the classes that the batch holds
    lovasz       lovasz                              the same, by sorting
    boundary     boundary                            distances to the true boundaries
    loss         FUNCTIONS by name, SegmentationLoss for ``model.compile``
"""

from kseg.losses.expression import LOSSES, Term, parse_loss

__all__ = ["LOSSES", "Term", "parse_loss"]
