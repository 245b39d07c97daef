"""Keras callbacks for one's own ``model.fit``.

::

    model.fit(train, validation_data=val, epochs=30, callbacks=[kseg.callbacks.WeightAverage(10)])
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kseg.lazy import lazy

if TYPE_CHECKING:
    from kseg.training.average import WeightAverage
    from kseg.training.callbacks import EarlyStopping, StopOnNan

__all__ = ["EarlyStopping", "StopOnNan", "WeightAverage"]

__getattr__, __dir__ = lazy(
    __name__,
    {
        "EarlyStopping": "kseg.training.callbacks",
        "StopOnNan": "kseg.training.callbacks",
        "WeightAverage": "kseg.training.average",
    },
)
