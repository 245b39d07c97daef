"""The main job: a configuration in, a run folder with a trained network out. Importing this loads no Keras.

::

    fit             what a training is, from top to bottom: fit, resume
    checks          settings that do not go together
    data            the data set found, checked and decoded; balance weighs rare classes
    device          where it is computed, in which precision
    network         the network as it is trained: loss, metrics, optimizer, fine-tuning; acceleration/ its layers
    loop            epochs, with callbacks, checkpoints, the state to resume from
    pictures        what the run folder shows
    reporter, run   how far it is; what came of it
"""

from kseg.training.fit import fit, resume
from kseg.training.reporter import Reporter
from kseg.training.run import Run

__all__ = ["Reporter", "Run", "fit", "resume"]
