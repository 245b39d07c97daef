"""kseg: train a segmentation network on a folder of images and masks, evaluate it, export it, and measure its speed.

::

    run = kseg.fit(data="photos", encoder="mobilenetv2", epochs=30)
    scores = kseg.evaluate(run)
    result = kseg.load(run)("photo.jpg")
    kseg.export(run, formats=["tflite"])

Importing this loads neither TensorFlow nor Keras; each name is imported when it is first used. CONTRIBUTING.md
describes the packages, and which may import which.
"""

from typing import TYPE_CHECKING

from kseg.lazy import import_after, lazy

if TYPE_CHECKING:
    from kseg import callbacks, data, errors, losses, metrics, models
    from kseg.api.check import check
    from kseg.api.models import benchmark, evaluate, export, load
    from kseg.api.training import fit, resume

__version__ = "0.1.0"

__all__ = [
    "__version__", "benchmark", "callbacks", "check", "data", "errors", "evaluate", "export", "fit", "load", "losses",
    "metrics", "models", "resume",
]  # fmt: skip

__getattr__, __dir__ = lazy(
    __name__,
    {
        "benchmark": "kseg.api.models",
        "callbacks": "kseg.callbacks",
        "check": "kseg.api.check",
        "data": "kseg.data",
        "errors": "kseg.errors",
        "evaluate": "kseg.api.models",
        "export": "kseg.api.models",
        "fit": "kseg.api.training",
        "load": "kseg.api.models",
        "losses": "kseg.losses",
        "metrics": "kseg.metrics",
        "models": "kseg.models",
        "resume": "kseg.api.training",
    },
)

# Registers the losses and metrics as soon as Keras is imported, so that ``keras.models.load_model`` finds them.
import_after("keras", ["kseg.losses.keras_losses", "kseg.metrics.keras_metrics"])
