"""The losses beside those of PyTorch and segmentation_models.pytorch on the same batch.

Skipped unless ``KSEG_TORCH_PYTHON`` names a Python that has ``torch`` and ``segmentation_models_pytorch``; the two
libraries need not live beside TensorFlow.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.losses.cases import call, draw
from tests.torch_python import run_torch

WEIGHTS = (0.5, 2.0, 3.0, 1.5)
CALLS: dict[str, dict[str, Any]] = {
    "cross_entropy": {},
    "cross_entropy smoothing": {"smoothing": 0.1},
    "cross_entropy weights": {"class_weights": WEIGHTS},
    "bce one": {},
    "focal one": {},
    "focal sigmoid": {"activation": "sigmoid", "gamma": 1.5},
    "dice": {},
    "dice smooth": {"smooth": 0.0},
    "dice weights": {"class_weights": WEIGHTS},
    "dice one": {},
    "jaccard": {},
    "jaccard one": {},
    "log_jaccard": {},
    "tversky": {},
    "focal_tversky one": {},
    "lovasz": {},
    "lovasz one": {},
}


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, float]:
    path = tmp_path_factory.mktemp("torch") / "batch.npz"
    (ids, logits), (binary_ids, binary_logits) = draw(4), draw(1)
    np.savez(
        path, ids=ids, logits=logits, binary_ids=binary_ids, binary_logits=binary_logits, weights=np.array(WEIGHTS)
    )
    said = run_torch(Path(__file__).with_name("torch_side.py"), path, needs="torch and segmentation_models_pytorch")
    found: dict[str, float] = json.loads(said)
    return found


@pytest.mark.parametrize("name", CALLS)
def test_ours_is_theirs(name: str, theirs: dict[str, float]) -> None:
    loss, _, variant = name.partition(" ")
    ids, logits = draw(1 if variant == "one" else 4)
    assert call(loss, ids, logits, **CALLS[name]) == pytest.approx(theirs[name], rel=2e-5)


def test_all_of_theirs_are_compared(theirs: dict[str, float]) -> None:
    assert set(theirs) == set(CALLS)
