"""Standard streams as shells hand them over, and folders that are in the way; each command in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.data.folders import make_pairs

ROOT = Path(__file__).parents[2]
KSEG = [sys.executable, "-m", "kseg"]


def kseg(*args: object, **options: object) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(ROOT), **options.pop("env", {})}  # type: ignore[dict-item]
    settings = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "encoding": "utf-8", **options}
    return subprocess.run([*KSEG, *map(str, args)], env=env, check=False, **settings)  # type: ignore[call-overload]


@pytest.mark.parametrize("args", [("--help",), ("config", "show")])
def test_a_full_device_is_one_line(args: tuple[str, ...], tmp_path: Path) -> None:
    with open("/dev/full", "w") as full:
        done = kseg(*args, stdout=full, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr == "error: standard output: cannot be written; found No space left on device\n"


def test_a_closed_pipe_is_silent(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = kseg("config", "show", stdout=writer, cwd=tmp_path)
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, "")


def test_messages_that_cannot_be_written_stop_nothing(tmp_path: Path) -> None:
    """Here the classes that were told from the masks, which are logged."""
    root = make_pairs(tmp_path / "data", list("abcd"), values=(0, 255))
    with open("/dev/full", "w") as full:
        done = kseg("data", "stats", root, stderr=full, cwd=tmp_path)
    assert done.returncode == 0
    assert "foreground" in done.stdout


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_no_failure(closed: str, tmp_path: Path) -> None:
    root = make_pairs(tmp_path / "data", list("abcd"), values=(0, 255))
    script = f'"$0" -m kseg data stats "$1" --json "$2" {closed}'
    command = ["sh", "-c", script, sys.executable, str(root), str(tmp_path / "stats.json")]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, check=False)
    assert done.returncode == 0
    assert '"foreground"' in (tmp_path / "stats.json").read_text(), "the file has no line of a stream in it"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_characters_that_the_terminal_lacks_are_escaped(encoding: str, tmp_path: Path) -> None:
    root = make_pairs(tmp_path / "data", list("abcd"), values=(0, 1))
    settings = ("--set", "data.classes=[фон, ö]")
    done = kseg("data", "stats", root, *settings, cwd=tmp_path, encoding="latin-1", env={"PYTHONIOENCODING": encoding})
    assert done.returncode == 0, done.stderr
    assert r"\u0444\u043e\u043d" in done.stdout
    assert (r"\xf6" if encoding == "ascii" else "ö") in done.stdout


@pytest.fixture
def deleted(tmp_path: Path) -> str:
    """A shell command that goes on in a folder that is gone."""
    return f'mkdir "{tmp_path}/gone" && cd "{tmp_path}/gone" && rmdir "{tmp_path}/gone" && "$0" -m kseg '


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ("config show", "error: a relative path cannot be resolved"),
        ("evaluate runs/fit/a", "error: runs/fit/a: no such model"),
    ],
)
def test_a_deleted_current_folder_is_one_line(args: str, message: str, deleted: str) -> None:
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = ["sh", "-c", deleted + args, sys.executable]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    (line,) = [line for line in done.stderr.splitlines() if "getcwd" not in line]  # the shell's own
    assert (done.returncode, done.stdout) == (1, "")
    assert line.startswith(message)
    assert line.endswith("; the current folder no longer exists: cd to a folder that exists")


def test_help_needs_no_current_folder(deleted: str) -> None:
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(["sh", "-c", deleted + "--help", sys.executable], env=env, capture_output=True, check=False)
    assert done.returncode == 0


def test_the_command_imports_nothing_of_the_users(tmp_path: Path) -> None:
    script = Path(sys.executable).with_name("kseg")
    if not script.exists():
        pytest.skip("the console script is not installed")
    for name in ("types", "random", "json", "csv", "click", "keras"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('shadowed')\n")
    done = subprocess.run([script, "config", "show"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
