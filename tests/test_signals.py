"""What SIGTERM and SIGHUP do: as Ctrl-C, with their own exit codes."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kseg.signals import STOP_SIGNALS, StopSignal, handle_signals, raise_stop
from tests.data.folders import make_pairs
from tests.tiny_run import make_run

ROOT = Path(__file__).parents[1]
ENV = {**os.environ, "PYTHONPATH": str(ROOT)}
PATIENCE = 120  # seconds; reached by no machine that works


@pytest.mark.parametrize("number", STOP_SIGNALS)
def test_a_signal_is_a_keyboard_interrupt_with_its_number(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt) as stop, handle_signals(STOP_SIGNALS, raise_stop):
        os.kill(os.getpid(), number)
    assert isinstance(stop.value, StopSignal)
    assert stop.value.number == number
    assert signal.getsignal(number) is before


def test_what_the_process_ignores_stays_ignored() -> None:
    """As under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with handle_signals(STOP_SIGNALS, raise_stop):
            os.kill(os.getpid(), signal.SIGHUP)
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def start(*args: object, cwd: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "kseg", *map(str, args)]
    return subprocess.Popen(command, cwd=cwd, env=ENV, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_training_saves_its_weights_and_says_how_to_go_on(number: signal.Signals, code: int, tmp_path: Path) -> None:
    root = make_pairs(tmp_path / "data", [f"{i:02}" for i in range(12)], values=(0, 255))
    flags = ("--imgsz", 16, "--batch", 2, "--epochs", 10**5, "--set", "train.patience=0", "--set", "model.widths=[4]")
    training = start("fit", "--data", root, *flags, "--name", "my run", cwd=tmp_path)
    assert training.stderr is not None
    next(line for line in training.stderr if line.startswith("epoch   2/"))
    training.send_signal(number)
    _, err = training.communicate(timeout=PATIENCE)
    assert training.returncode == code
    (message,) = [line for line in err.splitlines() if "error" in line]
    run = tmp_path / "runs" / "fit" / "my run"
    assert message.endswith(f"; continue with kseg fit --resume '{run}'")
    assert f"the current weights are in {run / 'weights' / 'last.keras'}" in message
    assert (run / "weights" / "last.keras").is_file()
    command = shlex.split(message.rpartition("continue with ")[2])
    assert Path(command[-1]) == run


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("untrained"), epochs=0)


@pytest.fixture
def benchmark(model: Path, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A benchmark that would take hours."""
    process = start("benchmark", model, "--device", "cpu", "--num-runs", 10**8, cwd=tmp_path)
    yield process
    process.kill()
    process.communicate(timeout=PATIENCE)


def worker_of(process: subprocess.Popen[str]) -> int:
    """The id of the process that the benchmark started, as soon as there is one."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if pids := children.read_text().split():
            return int(pids[0])
        time.sleep(0.05)
    raise AssertionError("no worker was started")


def has_ended(pid: int) -> bool:
    """Whether a process ends within the patience; one that nobody waits for counts, too."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            status = Path(f"/proc/{pid}/status").read_text()
        except OSError:
            return True
        if re.search(r"^State:\s+[ZX]", status, re.MULTILINE):
            return True
        time.sleep(0.05)
    return False


linux = pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="reads /proc")


@linux
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_stopped_benchmark_leaves_no_worker(
    benchmark: subprocess.Popen[str], number: signal.Signals, code: int
) -> None:
    worker = worker_of(benchmark)
    benchmark.send_signal(number)
    _, err = benchmark.communicate(timeout=PATIENCE)
    assert (benchmark.returncode, err.strip()) == (code, "error: stopped")
    assert has_ended(worker)


@linux
def test_a_killed_benchmark_leaves_no_worker(benchmark: subprocess.Popen[str]) -> None:
    worker = worker_of(benchmark)
    benchmark.kill()
    assert has_ended(worker)
