"""Prediction: `Predictor`, through which all other packages predict, and behind it a runtime in a file each.

::

    image [H, W, 3] ─ resize → run(images [B, h, w, 3]) → scores [B, h, w, C] ─ resize → class ids [H, W]
                               └ runtimes/: Keras, SavedModel, LiteRT, ONNX Runtime, OpenVINO, or any function

Nothing is imported before it is used, and TensorFlow only for ``.keras`` files and SavedModel folders.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kseg.lazy import lazy

if TYPE_CHECKING:
    from kseg.inference.copies import for_threads
    from kseg.inference.files import FilesPlan, PredictedFile, PredictReport, predict_files
    from kseg.inference.load import PredictionPlan, check_threshold, load_predictor, resolve_model
    from kseg.inference.model import Model, Prediction
    from kseg.inference.predictor import Decision, Predictor
    from kseg.inference.regions import drop_small_regions, parse_min_area
    from kseg.inference.runtime_table import (
        RUNTIMES,
        RuntimeChoice,
        RuntimeName,
        check_runtime,
        installed_runtimes,
        own_runtime,
        suitable_runtimes,
    )
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
    "check_runtime",
    "check_threshold",
    "check_zoom",
    "drop_small_regions",
    "find_pictures",
    "for_threads",
    "installed_runtimes",
    "load_predictor",
    "own_runtime",
    "parse_min_area",
    "predict_files",
    "resolve_model",
    "suitable_runtimes",
    "zoomed_scores",
]

__getattr__, __dir__ = lazy(
    __name__,
    {
        "Decision": "kseg.inference.predictor",
        "FilesPlan": "kseg.inference.files",
        "Model": "kseg.inference.model",
        "Picture": "kseg.inference.sources",
        "PredictReport": "kseg.inference.files",
        "PredictedFile": "kseg.inference.files",
        "Prediction": "kseg.inference.model",
        "PredictionPlan": "kseg.inference.load",
        "Predictor": "kseg.inference.predictor",
        "RUNTIMES": "kseg.inference.runtime_table",
        "RuntimeChoice": "kseg.inference.runtime_table",
        "RuntimeName": "kseg.inference.runtime_table",
        "check_runtime": "kseg.inference.runtime_table",
        "check_threshold": "kseg.inference.load",
        "check_zoom": "kseg.inference.windows",
        "drop_small_regions": "kseg.inference.regions",
        "find_pictures": "kseg.inference.sources",
        "for_threads": "kseg.inference.copies",
        "installed_runtimes": "kseg.inference.runtime_table",
        "load_predictor": "kseg.inference.load",
        "own_runtime": "kseg.inference.runtime_table",
        "parse_min_area": "kseg.inference.regions",
        "predict_files": "kseg.inference.files",
        "resolve_model": "kseg.inference.load",
        "suitable_runtimes": "kseg.inference.runtime_table",
        "zoomed_scores": "kseg.inference.windows",
    },
)
