"""How TensorFlow is loaded, each time in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from kseg.processor import is_x86

PROGRAM = """
import sys
from kseg.quiet import load_tensorflow
load_tensorflow(**({"onednn": True} if sys.argv[1] == "with" else {}))
from tensorflow.python.util import _pywrap_util_port
import os
print(_pywrap_util_port.IsMklEnabled(), os.environ.get("TF_ENABLE_ONEDNN_OPTS"))
"""

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
    assert load("with") == ["True", "None"]


@x86
def test_the_environment_has_the_last_word():
    assert load("with", TF_ENABLE_ONEDNN_OPTS="0") == ["False", "0"]


def test_unasked_tensorflow_chooses_by_itself():
    assert load("without")[1] == "None"
