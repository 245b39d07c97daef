"""Arrays beside weights: everything fits, or the error lists what does not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kseg.errors import ArtifactError
from kseg.models.weights.match import Slot, fit

SLOTS = [Slot("conv.weight", (3, 3, 2, 4), (2, 3, 1, 0)), Slot("conv.bias", (4,)), Slot("norm.mean", (4,))]
GIVEN = {
    "conv.weight": np.arange(72, dtype=np.float64).reshape(4, 2, 3, 3),
    "conv.bias": np.ones(4),
    "norm.mean": np.zeros(4),
}
PATH = Path("w.pth")


def is_classifier(name: str) -> bool:
    return name.startswith("fc.")


def test_arrays_come_in_the_networks_order_and_layout() -> None:
    kernel, bias, _ = fit(
        SLOTS, {**dict(reversed(GIVEN.items())), "fc.weight": np.ones(1)}, PATH, ignorable=is_classifier
    )
    assert kernel.dtype == np.float32
    assert kernel.shape == (3, 3, 2, 4)
    assert kernel[1, 2, 0, 3] == GIVEN["conv.weight"][3, 0, 1, 2]
    np.testing.assert_array_equal(bias, np.ones(4))


def test_all_kinds_of_mismatch_are_listed() -> None:
    given = {"conv.weight": np.ones((4, 2, 5, 5)), "norm.mean": np.zeros(4), "other": np.ones(1)}
    with pytest.raises(ArtifactError) as caught:
        fit(SLOTS, given, PATH, ignorable=is_classifier)
    assert str(caught.value) == (
        "w.pth: the weights are not this network's, or not all of them; expected 3 arrays, by name and shape; found "
        "1 missing (conv.bias), 1 unexpected (other), 1 of another shape (conv.weight (4, 2, 5, 5) for (4, 2, 3, 3))"
    )


def test_five_of_each_kind_are_named_and_all_counted() -> None:
    slots = [Slot(f"layer{i}", (1,)) for i in range(12)]
    with pytest.raises(ArtifactError, match=r"12 missing \(layer0, layer1, layer2, layer3, layer4 and 7 more\)"):
        fit(slots, {}, PATH, ignorable=is_classifier)


def test_a_kernel_of_other_dimensions_is_of_another_shape() -> None:
    with pytest.raises(ArtifactError, match=r"1 of another shape \(conv\.weight \(72,\) for \(4, 2, 3, 3\)\)"):
        fit(SLOTS, {**GIVEN, "conv.weight": np.ones(72)}, PATH, ignorable=is_classifier)
