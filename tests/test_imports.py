"""What ``--help`` may load, and that every command has one."""

from __future__ import annotations

import json
import subprocess
import sys

import click
import pytest

from kseg.cli.main import main

COMMANDS = sorted(main.commands)
SUBCOMMANDS = [
    [name, inner]
    for name, command in main.commands.items()
    if isinstance(command, click.Group)
    for inner in command.commands
]
HEAVY = {
    "tensorflow",
    "keras",
    "jax",
    "numpy",
    "cv2",
    "PIL",
    "pydantic",
    "matplotlib",
    "yaml",
    "rich",
    "ai_edge_litert",
    "onnx",
    "onnxruntime",
    "openvino",
}

PROBE = """
import json, sys
from kseg.cli.main import run
try:
    run(sys.argv[1:])
except SystemExit as stop:
    print("\\n" + json.dumps({"code": stop.code, "modules": sorted({m.split(".")[0] for m in sys.modules})}))
"""


def test_all_the_commands_are_there() -> None:
    assert COMMANDS == ["benchmark", "config", "data", "demo", "evaluate", "export", "fit", "models", "predict"]


@pytest.mark.parametrize("args", [[], *[[name] for name in COMMANDS], *SUBCOMMANDS])
def test_help_loads_nothing_heavy(args: list[str]) -> None:
    done = subprocess.run([sys.executable, "-c", PROBE, *args, "--help"], capture_output=True, text=True, check=True)
    probe = json.loads(done.stdout.splitlines()[-1])
    assert probe["code"] == 0
    assert "Usage:" in done.stdout
    assert not set(probe["modules"]) & HEAVY


def test_python_dash_m_works() -> None:
    done = subprocess.run([sys.executable, "-m", "kseg", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("kseg, version ")


def test_a_misspelt_command_is_a_usage_error() -> None:
    done = subprocess.run([sys.executable, "-m", "kseg", "fti"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "No such command 'fti'" in done.stderr
