"""The settings of the augmentation, shared by the configuration and the data pipeline. Loads no TensorFlow.

::

    Augment
    ├── transforms       applied in order, each with its probability p
    └── albumentations   or the file of an albumentations pipeline

`parse` reads them from a configuration, `kseg.data.pipeline.transforms` applies them.
"""

from kseg.augment.parse import parse, to_plain
from kseg.augment.presets import PRESETS
from kseg.augment.schema import augment_schema
from kseg.augment.settings import TRANSFORMS, Argument, Augment, Transform

__all__ = ["PRESETS", "TRANSFORMS", "Argument", "Augment", "Transform", "augment_schema", "parse", "to_plain"]
