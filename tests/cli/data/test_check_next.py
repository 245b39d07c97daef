"""The command that ``kseg data check`` proposes is one that works."""

from __future__ import annotations

import shlex
from pathlib import Path

import click
import pytest

from kseg.config import load_config
from tests.cli.conftest import Call
from tests.data.layouts import LAYOUTS


def proposed(out: str) -> list[str]:
    """The words of the command in the last line, without ``kseg``."""
    return shlex.split(out.splitlines()[-1].removeprefix("next: kseg "))


def test_answers_given_on_the_terminal_are_part_of_it(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "my set"
    LAYOUTS["inverted"](folder)
    monkeypatch.setattr(click, "prompt", lambda *_, **__: "y")
    code, out, _ = call("data", "check", folder, "--ask")
    assert code == 0
    words = proposed(out)
    assert words[:5] == ["data", "check", str(folder), "--set", "data.values={0: foreground, 255: background}"]
    code, out, _ = call(*words)
    assert code == 0
    assert load_config("data.yaml").data.values == {0: "foreground", 255: "background"}
    assert proposed(out) == ["fit", "data.yaml"]


def test_of_a_configuration_it_has_every_option(call: Call, tmp_path: Path) -> None:
    LAYOUTS["inverted"](tmp_path / "doubtful")
    call("data", "check", tmp_path / "doubtful", "--accept-guesses", "--fix-config", "my data.yaml")
    code, out, _ = call("data", "check", "my data.yaml", "--set", "train.epochs=3")
    assert (code, proposed(out)) == (0, ["fit", "my data.yaml", "--set", "train.epochs=3"])
    code, out, _ = call("data", "check", "my data.yaml", "--classes", "background,foreground")
    assert code == 0
    assert call(*proposed(out))[0] == 0
    assert load_config("data.yaml").data.classes == ("background", "foreground")
