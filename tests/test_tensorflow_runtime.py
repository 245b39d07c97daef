"""How TensorFlow is loaded, each time in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from kseg.card import ModelCard, append_card
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
    append_card(tmp_path / "m.keras", ModelCard("m", "unet/plain", 8, 8, LabelMap(("background", "x"))))
    environ = {name: value for name, value in os.environ.items() if name != "TF_ENABLE_ONEDNN_OPTS"}
    for args, expected in (
        (["fit", "--data", data, "--set", "train.imgsz=16", "--batch", "2"], "1"),
        (["predict", tmp_path / "m.keras", data / "images", "--out", tmp_path / "out"], "None"),
    ):
        command = [sys.executable, "-c", TRAINING, *map(str, args)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environ, cwd=tmp_path)
        assert (done.returncode, done.stdout.split()) == (0, [expected]), done.stderr
