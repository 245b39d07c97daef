"""How TensorFlow is loaded, each time in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from kseg.config import Config
from kseg.processor import is_x86
from kseg.training import fit

PROGRAM = """
import os, sys
from importlib.abc import MetaPathFinder
from kseg.quiet import load_tensorflow

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


def test_a_training_asks_for_onednn(monkeypatch):
    asked = []

    class LoadedError(Exception):
        pass

    def load(**settings):
        asked.append(settings)
        raise LoadedError

    monkeypatch.setattr("kseg.training.run.prepare", lambda *_, **__: None)
    monkeypatch.setattr("kseg.training.run.load_tensorflow", load)
    with pytest.raises(LoadedError):
        fit(Config.model_construct())
    assert asked == [{"onednn": True}]
