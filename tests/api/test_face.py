"""`import kseg`: what it offers, and that it costs nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest

import kseg


def run_python(code: str) -> str:
    """What a fresh interpreter prints."""
    done = subprocess.run([sys.executable, "-W", "error::ImportWarning", "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("name", [name for name in kseg.__all__ if name != "__version__"])
def test_every_name_is_there_documented_and_listed(name: str) -> None:
    value = getattr(kseg, name)
    assert value.__doc__
    assert name in dir(kseg)
    assert value is getattr(kseg, name)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'kseg' has no attribute 'fti'"):
        kseg.fti  # noqa: B018


def test_importing_kseg_loads_no_heavy_module() -> None:
    """What makes the import slow is what it loads; the time itself is measured by tools/."""
    heavy = "{'tensorflow', 'keras', 'jax', 'numpy', 'cv2', 'PIL', 'pydantic', 'rich', 'click', 'yaml'}"
    code = f"import sys, kseg; dir(kseg); print(sorted({heavy} & set(sys.modules)))"
    assert run_python(code) == "[]"
    assert run_python("import sys, kseg; kseg.losses, kseg.models, kseg.data\nprint('keras' in sys.modules)") == "False"


@pytest.mark.parametrize(
    "first", ["import kseg, keras", "import keras, kseg", "import kseg; kseg.losses.Dice; import keras"]
)
def test_keras_knows_the_losses_and_metrics_in_whatever_order_they_are_imported(first: str) -> None:
    code = f"{first}\nget = keras.saving.get_registered_object\n"
    code += "print(get('kseg.losses>Dice').__name__, get('kseg.metrics>IoU').__name__)"
    assert run_python(code).splitlines()[-1] == "Dice IoU"


def test_callbacks_and_data_are_those_of_the_rooms() -> None:
    from kseg.data.folder_batches import from_folder
    from kseg.training.average import WeightAverage

    assert kseg.callbacks.WeightAverage is WeightAverage
    assert kseg.data.from_folder is from_folder
