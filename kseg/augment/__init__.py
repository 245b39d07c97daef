"""How training samples are varied: the settings, which the configuration and the pipeline share. No TensorFlow.

::

    Augment
    ├── transforms       in their order, each with its probability p
    └── albumentations   or a file that albumentations reads

`parse` reads what a configuration says, `kseg.data.pipeline.transforms` does it.
"""

from kseg.augment.parse import parse, to_plain
from kseg.augment.presets import PRESETS
from kseg.augment.schema import augment_schema
from kseg.augment.settings import TRANSFORMS, Argument, Augment, Transform

__all__ = ["PRESETS", "TRANSFORMS", "Argument", "Augment", "Transform", "augment_schema", "parse", "to_plain"]
