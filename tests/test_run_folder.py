"""Commands that name a run, for messages."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from kseg.config.overrides import parse_set
from kseg.run_folder import RunFolder


@pytest.mark.parametrize("name", ["plain", "two  blanks", "it's", "a: b #c", "[1, 2]", "ünïcode"])
def test_the_command_of_a_new_run_can_be_pasted(name: str, tmp_path: Path) -> None:
    run = RunFolder(tmp_path / name)
    kseg, fit, args, option, setting = shlex.split(run.new_run_command(run.last))
    assert (kseg, fit, args, option) == ("kseg", "fit", str(run.args), "--set")
    assert parse_set(setting) == ("model.start", str(run.last))


def test_without_weights_it_begins_anew() -> None:
    assert RunFolder(Path("runs/fit/a b")).new_run_command() == "kseg fit 'runs/fit/a b/args.yaml'"
