from __future__ import annotations

import pytest

from kseg.errors import UnknownNameError
from kseg.registry import lookup, nearest

TABLE = {"plain": 1, "mobilenetv2": 2}


def test_lookup_finds() -> None:
    assert lookup(TABLE, "plain", kind="encoder") == 1


def test_a_near_miss_gets_a_suggestion() -> None:
    with pytest.raises(UnknownNameError) as caught:
        lookup(TABLE, "MobileNet_v2", kind="encoder", where="model.encoder")
    assert str(caught.value) == (
        "model.encoder: unknown encoder 'MobileNet_v2'; expected one of mobilenetv2, plain; did you mean 'mobilenetv2'?"
    )


def test_a_far_miss_gets_none() -> None:
    with pytest.raises(UnknownNameError, match=r"expected one of mobilenetv2, plain$"):
        lookup(TABLE, "zebra", kind="encoder")
    assert nearest("zebra", TABLE) is None
