"""The ladder: ``--quantize auto`` goes from int8 to float32 until a TFLite file is still the model."""

from kseg.exporters.ladder.climber import Measure, climb
from kseg.exporters.ladder.rungs import Ladder, Rung

__all__ = ["Ladder", "Measure", "Rung", "climb"]
