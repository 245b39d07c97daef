"""The main job: a configuration in, a run folder with a trained network out. Importing this loads no Keras.

::

    fit             what a training is, from top to bottom: fit, resume
    checks          settings that contradict each other, or need an extra that is not installed
    data            finds, checks and decodes the data set; balance: weights of classes and samples
    device          CPU or GPU, and Keras' dtype policy
    network         the compiled network: loss, metrics, optimizer, finetune; acceleration/ has faster layers
    loop            the epochs, with callbacks, checkpoints, and the state to resume from
    record          settings, environment and facts of the run; pictures: its figures
    reporter, run   progress; the result
"""

from kseg.training.fit import fit, resume
from kseg.training.reporter import Reporter
from kseg.training.run import Run

__all__ = ["Reporter", "Run", "fit", "resume"]
