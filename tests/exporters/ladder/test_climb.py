"""Climbing: what is tried, in which order, and what comes of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kseg.exporters.conversion import Conversion
from kseg.exporters.ladder import Ladder


def test_int8_fails_and_the_group_that_spoils_it_is_found_and_kept_in_float(ladder: Ladder) -> None:
    rungs = {rung.name: rung for rung in ladder.rungs}
    print(ladder.to_json())
    assert not rungs["int8"].passed
    repaired = rungs["int8, 1 in float"]
    assert repaired.passed
    assert repaired.float_groups == ("decoder1",)
