"""A folder with a data set's root in it, which is all that a configuration needs to be valid."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kseg.config import Config, load_config
from kseg.errors import ConfigError


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with the folders `pictures` and `conf`."""
    (tmp_path / "pictures").mkdir()
    (tmp_path / "conf").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def load(home: Path) -> Callable[..., Config]:
    """Load a text as the file `pets.yaml`, with overrides."""

    def load_text(text: str | bytes, overrides: dict[str, Any] | None = None) -> Config:
        (home / "pets.yaml").write_bytes(text.encode() if isinstance(text, str) else text)
        return load_config(Path("pets.yaml"), overrides or {})

    return load_text


@pytest.fixture
def error(load: Callable[..., Config]) -> Callable[..., str]:
    """The one line that loading a text ends in."""

    def message(text: str | bytes, overrides: dict[str, Any] | None = None) -> str:
        with pytest.raises(ConfigError) as caught:
            load(text, overrides)
        assert caught.value.exit_code == 2
        assert "\n" not in str(caught.value)
        return str(caught.value)

    return message
