"""The main job: a configuration in, a run folder with a trained network out.

Importing this loads no Keras: `fit` and `resume` do, once the configuration and the data have been checked.
"""

from kseg.training.reporter import EpochRow, FitResult, Reporter
from kseg.training.run import fit, resume

__all__ = ["EpochRow", "FitResult", "Reporter", "fit", "resume"]
