"""Prediction: one narrow waist, `Predictor`, and one runtime a file behind it.

::

    image [H, W, 3] ─ resize → run(images [B, h, w, 3]) → scores [B, h, w, C] ─ resize → class ids [H, W]
                               └ runtimes/: Keras, SavedModel, LiteRT, ONNX Runtime, or any function

Importing this loads no TensorFlow; a ``.tflite`` or ``.onnx`` file is predicted without it.
"""

from kseg.inference.ahead import ahead
from kseg.inference.files import PredictReport, Written, predict_files
from kseg.inference.load import RUNTIMES, find_run, load_predictor, resolve_model
from kseg.inference.predictor import Decision, Predictor, check_threshold
from kseg.inference.regions import drop_small_regions, parse_min_area
from kseg.inference.sources import Source, find_sources
from kseg.inference.windows import check_zoom, zoomed_scores

__all__ = [
    "RUNTIMES",
    "Decision",
    "PredictReport",
    "Predictor",
    "Source",
    "Written",
    "ahead",
    "check_threshold",
    "check_zoom",
    "drop_small_regions",
    "find_run",
    "find_sources",
    "load_predictor",
    "parse_min_area",
    "predict_files",
    "resolve_model",
    "zoomed_scores",
]
