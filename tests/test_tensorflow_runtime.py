"""How TensorFlow is loaded, each time in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from kseg.card import ModelCard, write_card
from kseg.labels import LabelMap
from kseg.processor import is_x86
from tests.data.folders import make_pairs

PROGRAM = """
import os, sys
from importlib.abc import MetaPathFinder
from kseg.tensorflow_runtime import load_tensorflow

class Watch(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name == "tensorflow":
            asked.append(os.environ.get("TF_ENABLE_ONEDNN_OPTS"))

asked = []
sys.meta_path.insert(0, Watch())
load_tensorflow(**({"onednn": True} if sys.argv[1] == "with" else {}))
from tensorflow.python.util import _pywrap_util_port
print(asked[0], os.environ.get("TF_ENABLE_ONEDNN_OPTS"), _pywrap_util_port.IsMklEnabled())
"""
"""Prints what TensorFlow finds in the environment, what is left there, and what it makes of it."""

x86 = pytest.mark.skipif(not is_x86(), reason="asked for on x86 only")


def load(onednn, **environ):
    kept = {name: value for name, value in os.environ.items() if name != "TF_ENABLE_ONEDNN_OPTS"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, onednn], capture_output=True, text=True, check=True, env={**kept, **environ}
    )
    assert done.stderr == ""
    return done.stdout.split()


@x86
def test_onednn_is_asked_for_whatever_the_processor():
    """And what is started later does not inherit it."""
    assert load("with") == ["1", "None", "True"]


@x86
def test_the_environment_has_the_last_word():
    assert load("with", TF_ENABLE_ONEDNN_OPTS="0") == ["0", "0", "False"]


def test_unasked_tensorflow_chooses_by_itself():
    assert load("without")[:2] == ["None", "None"]


TRAINING = """
import os, sys
from importlib.abc import MetaPathFinder
from kseg.cli.main import run

class Watch(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name == "tensorflow":
            print(os.environ.get("TF_ENABLE_ONEDNN_OPTS"), flush=True)
            os._exit(0)

sys.meta_path.insert(0, Watch())
run(sys.argv[1:])
"""
"""Prints what TensorFlow finds in the environment when a command first imports it, and ends."""


@x86
def test_a_training_asks_for_onednn_and_a_prediction_does_not(tmp_path):
    data = make_pairs(tmp_path / "data", list("abcdefghij"), values=(0, 1))
    (tmp_path / "m.keras").touch()
    write_card(tmp_path / "m.keras", ModelCard("m", "unet/plain", 8, 8, LabelMap(("background", "x"))))
    environ = {name: value for name, value in os.environ.items() if name != "TF_ENABLE_ONEDNN_OPTS"}
    for args, expected in (
        (["fit", "--data", data, "--set", "train.imgsz=16", "--batch", "2"], "1"),
        (["predict", tmp_path / "m.keras", data / "images", "--out", tmp_path / "out"], "None"),
    ):
        command = [sys.executable, "-c", TRAINING, *map(str, args)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environ, cwd=tmp_path)
        assert (done.returncode, done.stdout.split()) == (0, [expected]), done.stderr


def run_python(program, **environ):
    command = [sys.executable, "-c", program]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **environ})


SETTINGS = """
from kseg.tensorflow_runtime import load_keras
{first}
backend = load_keras()
import keras, kseg
model = kseg.models.Unet("plain", input_shape=(32, 48, 3), encoder_channels=[4])
print(backend, keras.config.image_data_format(), keras.config.floatx(), keras.config.epsilon(), end=" ")
print(model.output_shape, model.compute_dtype)
"""
OF_ANOTHER_PROJECT = {"image_data_format": "channels_first", "floatx": "float16", "epsilon": 0.1}


@pytest.mark.parametrize("first", ["", "import keras"])
def test_keras_has_its_default_settings_whatever_the_users_file_says(first, tmp_path):
    """Where the user has imported Keras before, with a warning for each."""
    file = tmp_path / "keras.json"
    file.write_text(json.dumps(OF_ANOTHER_PROJECT))
    done = run_python(SETTINGS.format(first=first), KERAS_HOME=str(tmp_path))
    assert done.stdout == "tensorflow channels_last float32 1e-07 (None, 32, 48, 1) float32\n"
    warnings = [line for line in done.stderr.splitlines() if line.startswith("Keras' ")]
    expected = [
        "Keras' image_data_format is set to channels_last in this process (it was channels_first): kseg needs it",
        "Keras' floatx is set to float32 in this process (it was float16): kseg needs it",
        "Keras' epsilon is set to 1e-07 in this process (it was 0.1): kseg needs it",
    ]
    assert warnings == (expected if first else [])
    assert json.loads(file.read_text()) == OF_ANOTHER_PROJECT


REFUSED = """
from kseg.errors import UsageError
from kseg.tensorflow_runtime import load_tensorflow
try:
    load_tensorflow()
except UsageError as error:
    print(error)
"""
UNSET, TENSORFLOW = "unset KERAS_BACKEND", "set the environment variable KERAS_BACKEND=tensorflow"


@pytest.mark.parametrize(
    ("settings", "variable", "parts"),
    [
        ("{}", "torch", ["KERAS_BACKEND: Keras' backend cannot be imported; expected tensorflow or jax; found torch (",
                         f"; {UNSET}"]),
        ("{}", "jax", ["KERAS_BACKEND: Keras' backend cannot be imported", "found jax (no JAX here)",
                       f"; pip install jax, or {UNSET}"]),
        ("{}", "nonsense", ["KERAS_BACKEND: ", "found nonsense (", f"; {UNSET}"]),
        ("{}", "numpy", ["KERAS_BACKEND: ", "; expected tensorflow or jax; found numpy", f"; {UNSET}"]),
        ('{"backend": "torch"}', "", ["keras.json: backend: ", "found torch (", f"; {TENSORFLOW}"]),
        ('{"backend": "jax"}', "", ["keras.json: backend: ", f"; pip install jax, or {TENSORFLOW}"]),
        ('{"floatx": "int8"}', "", ["keras.json: Keras cannot read its settings; found Invalid `floatx`",
                                    "; correct the file, or remove it: Keras writes a new one"]),
        ("[]", "", ["keras.json: Keras cannot read its settings"]),
    ],
)  # fmt: skip
def test_a_backend_or_a_file_of_settings_that_cannot_be_used_is_one_line(settings, variable, parts, tmp_path):
    for package in ("torch", "jax"):
        (tmp_path / f"{package}.py").write_text(f"raise ImportError('no {package.upper()} here', name={package!r})\n")
    (tmp_path / "keras.json").write_text(settings)
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = run_python(REFUSED, KERAS_HOME=str(tmp_path), KERAS_BACKEND=variable, PYTHONPATH=path)
    assert done.stdout.count("\n") == 1, done.stderr
    assert [part for part in parts if part not in done.stdout] == []


def test_a_file_of_settings_that_is_no_json_counts_as_none(tmp_path):
    (tmp_path / "keras.json").write_text('{"backend": tensor')
    program = "from kseg.tensorflow_runtime import load_keras; print(load_keras())"
    assert run_python(program, KERAS_HOME=str(tmp_path)).stdout == "tensorflow\n"


def test_native_output_is_silenced_without_stderr():
    program = """
import os, sys
os.close(2)
sys.stderr = None
from kseg.tensorflow_runtime import quiet_stderr
with quiet_stderr():
    print("quiet")
"""
    assert run_python(program).stdout == "quiet\n"
