"""The ladder: ``--quantize auto`` goes from int8 to float32 until a TFLite file is still the model."""

from kseg.exporters.ladder.climber import Measure, climb
from kseg.exporters.ladder.rungs import FASTEST_FILE, FILE, Ladder, Rung

__all__ = ["FILE", "KEPT_FILES", "Ladder", "Measure", "Rung", "climb"]

KEPT_FILES = (FILE, FASTEST_FILE)
"""The names of the files that a ladder can keep."""
