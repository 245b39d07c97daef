"""A training that was stopped goes on as if it had never been stopped."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import kseg
from kseg.card import read_card
from kseg.errors import ArtifactError, DataError, Interrupted, OutputError, UsageError
from kseg.models import load_model
from kseg.training import Run, fit, resume
from kseg.training.state import StateKeeper, TrainingState, read_state, save_state
from kseg.training.writer import Writer
from tests.limits import files_up_to

from .conftest import Listener, config_for, draw_discs

ROOT = Path(kseg.__file__).parents[1]
TIMES = {"seconds", "images_per_s"}


class StopAfter(Listener):
    """Asks for a stop when so many epochs are done, as Ctrl-C does."""

    def __init__(self, epochs: int) -> None:
        super().__init__()
        self.epochs = epochs

    def step(self, epoch: int, step: int, steps: int, images_per_s: float, loss: float) -> None:
        if epoch == self.epochs + 1:
            os.kill(os.getpid(), signal.SIGINT)


def stopped(discs: Path, project: Path, after: int, **given: Any) -> Path:
    """The folder of a run that was stopped."""
    with pytest.raises(Interrupted):
        fit(config_for(discs, project, run__name="cut", **given), reporter=StopAfter(after))
    return project / "fit" / "cut"


def scores(rows: Any) -> list[dict[str, float]]:
    return [{key: value for key, value in row.items() if key not in TIMES} for row in rows]


@pytest.fixture(scope="module")
def cut(discs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of four epochs, stopped in the third; tests work on copies of it."""
    return stopped(discs, tmp_path_factory.mktemp("cut"), 2, train__epochs=4)


@pytest.fixture(scope="module")
def begin(discs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run to start from."""
    config = config_for(discs, tmp_path_factory.mktemp("begin"), train__epochs=1, model__norm="batch")
    return fit(config).folder


@pytest.fixture
def copy(cut: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(cut, tmp_path / "copy"))


def assert_same_run(one: Run, other: Run) -> None:
    for row, expected in zip(scores(one.rows), scores(other.rows), strict=True):
        assert row == pytest.approx(expected, rel=1e-3, abs=1e-4)
    assert (one.best_epoch, one.stopped_early) == (other.best_epoch, other.stopped_early)
    for name in ("best.keras", "last.keras"):
        pair = [load_model(run.folder / "weights" / name)[0].get_weights() for run in (one, other)]
        for a, b in zip(*pair, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "given",
    [
        {"augment": "medium"},
        {"train__schedule": "one_cycle", "train__deep_supervision": True, "model__widths": [4, 8, 8]},
    ],
    ids=["augmented", "supervised"],
)
def test_it_is_the_training_that_it_would_have_been(discs: Path, tmp_path: Path, given: dict[str, Any]) -> None:
    uninterrupted = fit(config_for(discs, tmp_path, run__name="whole", train__epochs=4, **given))
    listener = Listener()
    resumed = resume(stopped(discs, tmp_path, 2, train__epochs=4, **given), reporter=listener)
    assert_same_run(resumed, uninterrupted)
    assert [row["epoch"] for row in listener.rows] == [3, 4]


def test_stopped_twice(discs: Path, tmp_path: Path) -> None:
    settings = {"train__epochs": 4, "train__average": 3, "model__dropout": 0.3, "model__norm": "batch"}
    uninterrupted = fit(config_for(discs, tmp_path, run__name="whole", **settings))
    folder = stopped(discs, tmp_path, 1, **settings)
    with pytest.raises(Interrupted, match=f"continue with kseg fit --resume {folder}"):
        resume(folder, reporter=StopAfter(3))
    assert_same_run(resume(folder), uninterrupted)
    environment = json.loads((folder / "env.json").read_text())
    assert [entry["after_epoch"] for entry in environment["resumed"]] == [1, 3]
    assert environment["resumed"][0]["packages"] == environment["packages"]


@pytest.mark.parametrize("frozen", [1, 3], ids=["thawed", "frozen"])
def test_an_encoder_that_learns_late(discs: Path, tmp_path: Path, begin: Path, frozen: int) -> None:
    settings = {
        "train__encoder_trainable": frozen,
        "train__encoder_lr": 0.3,
        "model__norm": "batch",
        "train__epochs": 4,
    }
    uninterrupted = fit(config_for(discs, tmp_path, run__name="whole", model__start=str(begin), **settings))
    start = shutil.copytree(begin, tmp_path / "begin")
    folder = stopped(discs, tmp_path, 2, model__start=str(start), **settings)
    shutil.rmtree(start)  # it needs the weights that it began with no longer
    assert_same_run(resume(folder), uninterrupted)


def test_a_worse_epoch_does_not_take_the_best_ones_place_and_patience_goes_on(discs: Path, tmp_path: Path) -> None:
    # A rate of nearly nothing: the first epoch stays the best.
    settings = {"train__lr": 1e-12, "train__epochs": 9, "train__patience": 3, "train__schedule": "constant"}
    uninterrupted = fit(config_for(discs, tmp_path, run__name="whole", **settings))
    folder = stopped(discs, tmp_path, 2, **settings)
    best = (folder / "weights" / "best.keras").read_bytes()
    resumed = resume(folder)
    assert len(resumed.rows) == len(uninterrupted.rows) == 4
    assert resumed.stopped_early
    assert resumed.best_epoch == 1
    assert (folder / "weights" / "best.keras").read_bytes() == best


def test_the_folder_has_every_row_and_no_state_left(copy: Path) -> None:
    assert (copy / "weights" / "training.npz").is_file()
    (copy / "weights" / ".last.0123abcd.part.keras").write_text("a kill left this")
    result = resume(copy)
    rows = list(csv.DictReader((copy / "results.csv").read_text().splitlines()))
    assert [float(row["epoch"]) for row in rows] == [1, 2, 3, 4]
    assert [float(row["val_iou"]) for row in rows] == pytest.approx([row["val_iou"] for row in result.rows], rel=1e-4)
    assert sorted(path.name for path in (copy / "weights").iterdir()) == ["best.keras", "last.keras"]
    assert read_card(copy / "weights" / "last.keras").provenance["epoch"] == 4
    assert (copy / "val_pred.jpg").is_file()
    with pytest.raises(UsageError, match=r"copy: the run has ended; .*kseg fit .*args\.yaml --set model\.start="):
        resume(copy)


def test_killed_after_the_last_epoch(discs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def kill(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(StateKeeper, "on_train_end", kill)
        with pytest.raises(Interrupted):
            fit(config_for(discs, tmp_path, run__name="cut"))
    result = resume(tmp_path / "fit" / "cut")
    assert len(result.rows) == 2
    assert not (result.folder / "weights" / "training.npz").exists()


def python_of(backend: str) -> str:
    """The Python that trains with a backend of Keras. Skips where there is none."""
    if backend == "tensorflow":
        return sys.executable
    python = os.environ.get("KSEG_JAX_PYTHON")
    imports = "import jax, keras, tensorflow"
    if not python or subprocess.run([python, "-c", imports], capture_output=True, check=False).returncode:
        pytest.skip("KSEG_JAX_PYTHON names no Python with keras, jax and tensorflow (for tf.data)")
    return python


@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_kill_9_and_on_from_the_command_line(discs: Path, tmp_path: Path, backend: str) -> None:
    flags = ["--imgsz", "32", "--epochs", "60", "--batch", "4", "--patience", "0", "--set", "model.widths=[4]"]
    command = [python_of(backend), "-m", "kseg", "fit"]
    env = {**os.environ, "KERAS_BACKEND": backend, "JAX_PLATFORMS": "cpu", "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [*command, "--data", str(discs), *flags, "--project", str(tmp_path), "--name", "x"],
        stderr=subprocess.DEVNULL, env=env,
    )  # fmt: skip
    folder = tmp_path / "fit" / "x"
    for _ in range(1200):
        if (folder / "weights" / "training.npz").exists():
            break
        assert process.poll() is None
        time.sleep(0.1)
    process.kill()
    process.wait()
    epochs_done = read_state(folder / "weights" / "training.npz").epoch
    assert 0 < epochs_done < 60
    resumed = subprocess.run([*command, "--resume", str(folder)], capture_output=True, text=True, check=False, env=env)
    assert resumed.returncode == 0, resumed.stderr
    assert f"after epoch {epochs_done} of 60" in resumed.stderr
    assert f"next: kseg evaluate {folder}" in resumed.stdout
    assert json.loads((folder / "env.json").read_text())["backend"] == backend
    rows = list(csv.DictReader((folder / "results.csv").read_text().splitlines()))
    assert [float(row["epoch"]) for row in rows] == list(range(1, 61))
    assert sorted(path.name for path in (folder / "weights").iterdir()) == ["best.keras", "last.keras"]


def widen(run: Path) -> None:
    args = run / "args.yaml"
    text = args.read_text()
    assert "[4, 8]" in text
    args.write_text(text.replace("[4, 8]", "[4, 9]"))


def truncate(run: Path) -> None:
    state = run / "weights" / "training.npz"
    state.write_bytes(state.read_bytes()[:5000])


def put_a_pickle_in(run: Path) -> None:
    np.savez(run / "weights" / "training.npz", header=np.array({"format": "kseg training 1"}, dtype=object))


def write_another_format(run: Path) -> None:
    np.savez(run / "weights" / "training.npz", header=np.array(json.dumps({"format": "kseg training 0"})))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (widen, r"training\.npz: the saved state belongs to another network; .*args\.yaml.*; undo the changes"),
        (truncate, r"training\.npz: the state of the training cannot be read; .*--set model\.start="),
        (put_a_pickle_in, r"training\.npz: the state of the training cannot be read; found .*allow_pickle"),
        (write_another_format, r"cannot be read; found format 'kseg training 0'"),
    ],
)
def test_a_state_that_cannot_be_used(copy: Path, spoil: Callable[[Path], None], message: str) -> None:
    spoil(copy)
    files = {path.name: path.read_bytes() for path in (copy / "weights").iterdir()}
    with pytest.raises(ArtifactError, match=message):
        resume(copy)
    assert {path.name: path.read_bytes() for path in (copy / "weights").iterdir()} == files


def test_other_data(tmp_path: Path) -> None:
    data = draw_discs(tmp_path / "data", 12)
    folder = stopped(data, tmp_path, 1, train__epochs=3)
    first, second = sorted((data / "images").iterdir())[:2]
    first.write_bytes(second.read_bytes())
    with pytest.raises(
        DataError, match=r"data: the data are not those that the run began with; .*data\.json; put them"
    ):
        resume(folder)


def test_no_run(tmp_path: Path, discs: Path) -> None:
    with pytest.raises(UsageError, match=r"nowhere: no run folder; .*found no such folder"):
        resume(tmp_path / "nowhere")
    with pytest.raises(UsageError, match=r"no run folder; .*found no args\.yaml in it"):
        resume(discs)
    with pytest.raises(UsageError, match=r"the run was stopped in its first epoch; .*; begin anew: kseg fit"):
        resume(stopped(discs, tmp_path, 0))


class Impatient(Listener):
    """Goes on with the run that it hears of, while that is still at work."""

    def __init__(self, run: Path) -> None:
        super().__init__()
        self.run = run
        self.told: list[str] = []

    def step(self, epoch: int, step: int, steps: int, images_per_s: float, loss: float) -> None:
        if len(self.told) < epoch:
            while epoch == 2 and not (self.run / "weights" / "training.npz").is_file():
                time.sleep(0.01)  # another thread writes it
            with pytest.raises(UsageError) as caught:
                resume(self.run)
            self.told.append(str(caught.value))


def test_a_run_that_is_still_trained(discs: Path, tmp_path: Path) -> None:
    run = tmp_path / "fit" / "cut"
    impatient = Impatient(run)
    result = fit(config_for(discs, tmp_path, run__name="cut"), reporter=impatient)
    assert len(impatient.told) == 2  # in the first epoch there is no state yet
    for message in impatient.told:
        assert f"{run}: the run is still being trained" in message
        assert "let it end, or stop it first (Ctrl-C)" in message
    assert len(result.rows) == 2


def test_a_full_disk_keeps_the_earlier_state(discs: Path, tmp_path: Path) -> None:
    state = tmp_path / "fit" / "cut" / "weights" / "training.npz"
    original = save_state
    with pytest.MonkeyPatch.context() as patch:

        def save(path: Path, saved: TrainingState) -> None:
            if saved.epoch == 1:
                original(path, saved)
                return
            with files_up_to(4096):
                original(path, saved)

        patch.setattr("kseg.training.state.save_state", save)
        with pytest.raises(OutputError, match=r"training\.npz: cannot write the file.*the earlier file is untouched"):
            fit(config_for(discs, tmp_path, run__name="cut", train__epochs=4))
    assert read_state(state).epoch == 1
    assert len(resume(state.parents[1]).rows) == 4


def test_no_state_is_written_after_a_checkpoint_that_failed() -> None:
    writer, written = Writer(), []

    def fail() -> None:
        raise OutputError("cannot write the file")

    writer.submit(lambda: written.append("checkpoint 1"))
    writer.submit(lambda: written.append("state 1"))
    writer.submit(fail)
    writer.submit(lambda: written.append("state 2"))
    with pytest.raises(OutputError):
        writer.wait()
    writer.wait()
    assert written == ["checkpoint 1", "state 1"]


ARRAYS = st.lists(st.lists(st.floats(width=32), max_size=4).map(lambda v: np.array(v, np.float32)), max_size=3)


@given(ARRAYS, ARRAYS, ARRAYS, st.lists(st.dictionaries(st.text(max_size=5), st.floats()), max_size=3))
@settings(max_examples=30, deadline=None)
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, network: Any, optimizer: Any, inner: Any, rows: Any
) -> None:
    path = tmp_path_factory.mktemp("state") / "training.npz"
    save_state(path, TrainingState(3, "abc", network, optimizer, {"One": {"rows": rows, "best": None, "mean": inner}}))
    state = read_state(path)
    assert (state.epoch, state.data) == (3, "abc")
    for arrays, expected in [
        (state.network, network), (state.optimizer, optimizer), (state.callback_states["One"]["mean"], inner),
    ]:  # fmt: skip
        assert len(arrays) == len(expected)
        for one, other in zip(arrays, expected, strict=True):
            np.testing.assert_array_equal(one, other)
    assert repr(state.callback_states["One"]["rows"]) == repr(rows)


@given(st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_broken_state_is_one_error(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "training.npz"
    arrays = [np.arange(6, dtype=np.float32)]
    save_state(path, TrainingState(1, "abc", arrays, arrays, {"One": {"best": 1.0, "mean": arrays}}))
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(bytes(content[: data.draw(st.integers(0, len(content)))]))
    try:
        state = read_state(path)
    except ArtifactError as error:
        message = str(error)
        assert message.startswith(f"{path}: the state of the training cannot be read")
        return
    assert isinstance(state, TrainingState)
