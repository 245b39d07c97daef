"""`DataSpec`: the class names that it makes canonical."""

from __future__ import annotations

from pathlib import Path

import pytest

from kseg.data.spec import DataSpec
from kseg.errors import ConfigError


def test_the_background_is_recognised_in_classes_and_values() -> None:
    spec = DataSpec(Path("x"), classes=("Background", " cat "), values={0: "BACKGROUND", 7: "cat", 9: " ignore"})
    assert spec.classes == ("background", "cat")
    assert spec.values == {0: "background", 7: "cat", 9: "ignore"}
    labels = spec.label_map()
    assert labels is not None
    assert labels.foreground == (1,)


def test_names_that_differ_in_blanks_are_one_class() -> None:
    spec = DataSpec(
        Path("x"), classes=["bg", "disc", "disc ", "cup"], colors=["#000000", "#111111", "#222222", "#333333"]
    )
    assert spec.classes == ("background", "disc", "cup")
    assert spec.values == {0: "background", 1: "disc", 2: "disc", 3: "cup"}
    assert spec.colors == ("#000000", "#111111", "#333333")


def test_of_a_format_with_objects_they_are_one_class_whose_values_the_file_defines() -> None:
    assert DataSpec(Path("x"), format="coco", classes=["disc", "disc "]).values is None


@pytest.mark.parametrize("classes", [["background", "cat", "Cat"], ["cat", "Background"], ["cat", "cat"]])
def test_names_that_contradict_one_another_are_an_error_of_the_configuration(classes: list[str]) -> None:
    with pytest.raises(ConfigError, match=r"^data\.classes: ") as caught:
        DataSpec(Path("x"), classes=classes)
    assert caught.value.exit_code == 2
