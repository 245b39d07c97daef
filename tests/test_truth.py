"""The forms of ground truth, told apart by shapes."""

from __future__ import annotations

import re
from typing import Any

import pytest

from kseg.errors import UsageError
from kseg.truth import is_one_hot


@pytest.mark.parametrize(
    ("truth", "predicted", "one_hot"),
    [
        ((2, 8, 6), (2, 8, 6, 1), False),
        ((2, 8, 6), (2, 8, 6, 3), False),
        ((2, 8, 6, 1), (2, 8, 6, 1), False),
        ((2, 8, 6, 1), (2, 8, 6, 3), False),
        ((2, 8, 6, 3), (2, 8, 6, 3), True),
        ((None, None, None), (None, 8, 6, 3), False),
        ((None, 8, 6, 3), (2, None, None, 3), True),
        ((None, 8, 6, None), (None, 8, 6, 1), False),
    ],
)
def test_forms(truth: Any, predicted: Any, one_hot: bool) -> None:
    assert is_one_hot(truth, predicted) is one_hot


@pytest.mark.parametrize(
    ("truth", "predicted", "expected", "found"),
    [
        ((2, 8, 6, 2), (2, 8, 6, 1), "", "y_pred [2, 8, 6, 1] and y_true [2, 8, 6, 2]"),
        ((2, 8, 6, 4), (2, 8, 6, 3), ", or one-hot [B, H, W, 3]", "y_pred [2, 8, 6, 3] and y_true [2, 8, 6, 4]"),
        ((2, 8, 5), (None, 8, 6, 3), ", or one-hot [B, H, W, 3]", "y_pred [?, 8, 6, 3] and y_true [2, 8, 5]"),
        ((2, 8), (2, 8, 6, 3), ", or one-hot [B, H, W, 3]", "y_pred [2, 8, 6, 3] and y_true [2, 8]"),
        ((2, 8, 6), (2, 8, 6), ", or one-hot [B, H, W, C]", "y_pred [2, 8, 6] and y_true [2, 8, 6]"),
        ((), (), ", or one-hot [B, H, W, C]", "y_pred [] and y_true []"),
    ],
)
def test_anything_else_is_one_clear_line(truth: Any, predicted: Any, expected: str, found: str) -> None:
    message = (
        "y_true does not fit y_pred; expected y_pred [B, H, W, C], and as y_true class ids [B, H, W] or [B, H, W, 1]"
        f"{expected}; found {found}"
    )
    with pytest.raises(UsageError, match=f"^{re.escape(message)}$"):
        is_one_hot(truth, predicted)
