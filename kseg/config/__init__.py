"""Every setting of a run, typed, documented and validated before anything slow begins. Loads no TensorFlow.

::

    defaults  <  the YAML file  <  overrides (--data, --set, flags)   →   Config
"""

from kseg.config.brief import Guess, to_brief_yaml
from kseg.config.load import json_schema, load_config, to_yaml
from kseg.config.messages import describe
from kseg.config.overrides import FlagValue, parse_set
from kseg.config.schema import Config, ModelConfig, RunConfig, TrainConfig

__all__ = [
    "Config",
    "FlagValue",
    "Guess",
    "ModelConfig",
    "RunConfig",
    "TrainConfig",
    "describe",
    "json_schema",
    "load_config",
    "parse_set",
    "to_brief_yaml",
    "to_yaml",
]
