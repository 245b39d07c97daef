"""The forms of ground truth that losses and metrics take beside predictions ``[B, H, W, C]``. Loads no TensorFlow.

::

    class ids   [B, H, W] or [B, H, W, 1]
    one-hot     [B, H, W, C], C > 1
"""

from __future__ import annotations

from collections.abc import Sequence

from kseg.errors import UsageError

__all__ = ["is_one_hot"]

Shape = Sequence["int | None"]


def is_one_hot(truth: Shape, predicted: Shape) -> bool:
    """Whether the ground truth is one-hot, by the shapes alone.

    Args:
        truth: The shape of the ground truth; None where a size is not known yet.
        predicted: The shape of the predictions.

    Returns:
        True for one-hot ``[B, H, W, C]``, False for class ids.

    Raises:
        UsageError: The predictions are no ``[B, H, W, C]``, or the ground truth fits them in neither form.

    Example:

    >>> is_one_hot((8, 64, 64, 3), (8, 64, 64, 3)), is_one_hot((8, 64, 64), (8, 64, 64, 3))
    (True, False)
    """
    truth, predicted = tuple(truth), tuple(predicted)
    channels = predicted[-1] if len(predicted) == 4 else None
    forms: list[Shape] = [predicted[:3], (*predicted[:3], 1), *([predicted] if channels != 1 else [])]
    if channels is None or not any(_agree(truth, form) for form in forms):
        one_hot = "" if channels == 1 else f", or one-hot [B, H, W, {channels or 'C'}]"
        raise UsageError(
            "y_true does not fit y_pred",
            expected=f"y_pred [B, H, W, C], and as y_true class ids [B, H, W] or [B, H, W, 1]{one_hot}",
            found=f"y_pred {_text(predicted)} and y_true {_text(truth)}",
        )
    return len(truth) == 4 and channels != 1 and truth[-1] != 1


def _agree(shape: Shape, form: Shape) -> bool:
    """Whether two shapes may be equal, sizes that are not known yet left open."""
    return len(shape) == len(form) and all(None in pair or pair[0] == pair[1] for pair in zip(shape, form, strict=True))


def _text(shape: Shape) -> str:
    return f"[{', '.join('?' if size is None else str(size) for size in shape)}]"
