"""The commands as a user calls them, in this process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from kseg.cli.main import run as kseg

Call = Callable[..., tuple[int, str, str]]
"""Arguments → exit code, stdout, stderr."""


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Call:
    """``kseg ARGS`` in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*args: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as stop:
            kseg([str(arg) for arg in args])
        return stop.value.code, *capsys.readouterr()

    return run
