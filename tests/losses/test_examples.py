"""The examples in the docstrings of losses and metrics, run."""

from __future__ import annotations

import doctest
from importlib import import_module

import pytest

MODULES = {
    "kseg.truth": 1,
    "kseg.losses.expression": 1,
    "kseg.losses.base": 1,
    "kseg.losses.keras_losses": 12,
    "kseg.losses.loss": 2,
    "kseg.metrics.confusion": 1,
    "kseg.metrics.keras_metrics": 5,
}
"""Module → the number of its docstrings with an example."""


@pytest.mark.parametrize("module", MODULES)
def test_examples(module: str) -> None:
    loaded = import_module(module)
    assert sum(bool(test.examples) for test in doctest.DocTestFinder().find(loaded)) == MODULES[module]
    assert doctest.testmod(loaded).failed == 0
