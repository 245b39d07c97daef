"""Prediction: `Predictor`, through which all other packages predict, and behind it a runtime in a file each.

::

    image [H, W, 3] ─ resize → run(images [B, h, w, 3]) → scores [B, h, w, C] ─ resize → class ids [H, W]
                               └ runtimes/: Keras, SavedModel, LiteRT, ONNX Runtime, OpenVINO, or any function

Importing this loads no TensorFlow; nor do ``.tflite`` and ``.onnx`` files and OpenVINO folders need it.
"""

from kseg.inference.files import FilesPlan, PredictedFile, PredictReport, predict_files
from kseg.inference.load import PredictionPlan, check_threshold, load_predictor, resolve_model
from kseg.inference.model import Model, Prediction
from kseg.inference.predictor import Decision, Predictor
from kseg.inference.prefetch import prefetch
from kseg.inference.regions import drop_small_regions, parse_min_area
from kseg.inference.runtime_table import RUNTIMES, RuntimeChoice, RuntimeName, installed_runtimes, own_runtime
from kseg.inference.sources import Picture, find_pictures
from kseg.inference.windows import check_zoom, zoomed_scores

__all__ = [
    "RUNTIMES",
    "Decision",
    "FilesPlan",
    "Model",
    "Picture",
    "PredictReport",
    "PredictedFile",
    "Prediction",
    "PredictionPlan",
    "Predictor",
    "RuntimeChoice",
    "RuntimeName",
    "check_threshold",
    "check_zoom",
    "drop_small_regions",
    "find_pictures",
    "installed_runtimes",
    "load_predictor",
    "own_runtime",
    "parse_min_area",
    "predict_files",
    "prefetch",
    "resolve_model",
    "zoomed_scores",
]
