"""The commands as a user calls them, in this process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from kseg.cli.main import run as kseg
from kseg.inference import own_runtime

Call = Callable[..., tuple[int, str, str]]
"""Arguments → exit code, stdout, stderr."""


@pytest.fixture(autouse=True)
def own_runtimes(monkeypatch: pytest.MonkeyPatch) -> None:
    """``--runtime auto`` takes each file's own, without a measurement, whose outcome depends on the machine."""
    monkeypatch.setattr("kseg.inference.choose_runtime.installed_runtimes", lambda model: (own_runtime(model),))


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Call:
    """``kseg ARGS`` in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*args: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as stop:
            kseg([str(arg) for arg in args])
        return stop.value.code, *capsys.readouterr()

    return run
