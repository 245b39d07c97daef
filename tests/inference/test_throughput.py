"""Many pictures in threads: the files and reports of a single thread, few pictures in memory, nothing half-written."""

from __future__ import annotations

import errno
import os
import threading
import time
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from kseg.errors import OutputError
from kseg.images import write_png
from kseg.inference import FilesPlan, Model, PredictionPlan, Predictor, files, predict_files
from kseg.inference.copies import Copies, number_of_copies
from tests.inference.artifacts import RED, picture
from tests.inference.test_files import reds

COUNT = 30


class FakeRuntime:
    """`reds`, that notes how it is called: by how many threads at once, and with batches of what size."""

    def __init__(self):
        self.lock, self.active, self.most, self.batches = threading.Lock(), 0, 0, []

    def __call__(self, images):
        with self.lock:
            self.active += 1
            self.most = max(self.most, self.active)
            self.batches.append(len(images))
        time.sleep(0.002)
        scores = reds(images)
        with self.lock:
            self.active -= 1
        return scores


@pytest.fixture
def photos(tmp_path):
    """Pictures of different sizes and masks; one in the middle cannot be read."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for n in range(COUNT):
        write_png(folder / f"{n:02d}.png", picture((20 + n, 60 - n), red=(slice(2, 12), slice(n % 9, 20)))[0])
    (folder / "13.png").write_bytes((folder / "13.png").read_bytes()[:70])
    return folder


def predict(photos, out, run=reds, *, threads, on_progress=None, **options):
    plan = FilesPlan.make(RED, [str(photos)], out, **options)
    return predict_files(Predictor(run, RED), plan, threads=threads, on_progress=on_progress)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("threads", [2, 3, 8])
def test_files_and_report_do_not_depend_on_the_number_of_threads(photos, tmp_path, monkeypatch, threads):
    monkeypatch.chdir(tmp_path)
    calls = []
    monkeypatch.setattr(files, "_workers", lambda threads: threads)  # a single thread for the first
    plain = predict(photos, tmp_path / "plain", threads=1, overlay=True, save_prob=True)
    report = predict(
        photos, tmp_path / "out", Copies([reds] * threads), threads=threads, overlay=True, save_prob=True,
        on_progress=lambda *n: calls.append(n),
    )  # fmt: skip
    assert contents(tmp_path / "out") == contents(tmp_path / "plain")
    assert len(contents(tmp_path / "out")) == 3 * (COUNT - 1)
    assert report.failed == plain.failed
    assert [p.image.name for p in report.failed] == ["13.png"]
    names = [f"{n:02d}.png" for n in range(COUNT) if n != 13]
    assert [entry.image.name for entry in report.written] == names
    assert [entry.foreground for entry in report.written] == [entry.foreground for entry in plain.written]
    assert calls == [(n, COUNT) for n in range(1, COUNT + 1)]


def test_a_function_that_knows_no_threads_is_called_by_one_at_a_time_with_single_images(photos, tmp_path):
    runtime = FakeRuntime()
    predict(photos, tmp_path / "out", runtime, threads=6)
    assert runtime.most == 1
    assert runtime.batches == [1] * (COUNT - 1)


def test_each_copy_is_called_by_one_thread_at_a_time_and_all_are_used(photos, tmp_path):
    copies = [FakeRuntime() for _ in range(3)]
    predict(photos, tmp_path / "out", Copies(copies), threads=6)
    assert [copy.most for copy in copies] == [1, 1, 1]
    assert sum(len(copy.batches) for copy in copies) == COUNT - 1


@pytest.mark.parametrize("threads", [1, 3])
def test_no_more_pictures_are_in_memory_than_threads_and_one(photos, tmp_path, monkeypatch, threads):
    alive, most, lock = 0, 0, threading.Lock()
    read, write = files.read_image, files.write_marked

    def counted(step):
        nonlocal alive, most
        with lock:
            alive += step
            most = max(most, alive)

    def reading(path, *, page):
        image = read(path, page=page)
        counted(1)
        return image

    def writing(path, data, origin):
        time.sleep(0.003)
        write(path, data, origin)
        counted(-1)

    monkeypatch.setattr(files, "read_image", reading)
    monkeypatch.setattr(files, "write_marked", writing)
    predict(photos, tmp_path / "out", threads=threads)
    assert 2 <= most <= threads + 1
    assert alive == 0


def test_a_full_disk_is_an_output_error_and_leaves_whole_files_only(photos, tmp_path, monkeypatch):
    whole = Path.write_bytes

    def full(path, data):
        if path.name.startswith(".07."):
            whole(path, data[:20])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return whole(path, data)

    predict(photos, tmp_path / "expected", threads=2)
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError) as error:
        predict(photos, tmp_path / "out", threads=2)
    assert str(error.value) == f"{tmp_path}/out/07.png: cannot write the file; found No space left on device"
    assert error.value.exit_code == 1
    written = contents(tmp_path / "out")
    assert {f"{n:02d}.png" for n in range(7)} <= written.keys()
    assert len(written) < 20, "no picture is begun after the error"
    assert written.items() <= contents(tmp_path / "expected").items()


def test_ctrl_c_leaves_whole_files_only_and_begins_no_other_picture(photos, tmp_path):
    def interrupt(done, _):
        if done == 4:
            raise KeyboardInterrupt

    predict(photos, tmp_path / "expected", threads=2)
    with pytest.raises(KeyboardInterrupt):
        predict(photos, tmp_path / "out", threads=2, on_progress=interrupt)
    written = contents(tmp_path / "out")
    assert 4 <= len(written) < 20
    assert written.items() <= contents(tmp_path / "expected").items()


def test_a_list_of_pictures_gives_the_predictions_of_each(photos):
    runtime = FakeRuntime()
    model = Model(Predictor(runtime, RED), photos)
    paths = [path for path in sorted(photos.iterdir()) if path.name != "13.png"]
    predictions = model(paths)
    assert runtime.most == 1
    for path, prediction in zip(paths, predictions, strict=True):
        np.testing.assert_array_equal(prediction.mask, model(path).mask)


@pytest.mark.parametrize(
    ("pictures", "threads", "copies"), [(1, 4, 1), (15, 4, 1), (16, 4, 2), (1000, 4, 4), (1000, 1, 1), (1000, 64, 8)]
)
def test_copies_are_loaded_for_many_pictures_and_for_the_threads_there_are(pictures, threads, copies):
    assert number_of_copies(pictures, threads) == copies


@pytest.mark.parametrize(
    ("name", "module", "pictures", "expected"),
    [
        ("red.tflite", "litert", 1000, [1, 1, 1, 1]),
        ("red.tflite", "litert", 17, [2, 2]),
        ("red.tflite", "litert", 1, [4]),
        ("red.onnx", "onnxruntime", 1000, [1, 1, 1, 1]),
        ("saved_model", "saved_model", 1000, [4]),
    ],
)
def test_copies_share_the_threads(models, monkeypatch, name, module, pictures, expected):
    threads = []
    runtime = import_module(f"kseg.inference.runtimes.{module}")
    monkeypatch.setattr(runtime, "load", lambda *_, **options: threads.append(options["threads"]) or reds)
    PredictionPlan.make(models / name, threads=4).load(pictures=pictures)
    assert threads == expected


@pytest.mark.parametrize("name", ["red.tflite", "red_int8.tflite", "red.onnx"])
@pytest.mark.parametrize("flip", [False, True])
def test_copies_of_a_real_network_write_the_same_files(models, photos, tmp_path, name, flip):
    plan = PredictionPlan.make(models / name, threads=3, flip=flip)
    alone, several = plan.load(), plan.load(pictures=1000)
    predict_files(alone, FilesPlan.make(RED, [str(photos)], tmp_path / "a", save_prob=True), threads=1)
    predict_files(several, FilesPlan.make(RED, [str(photos)], tmp_path / "b", save_prob=True), threads=3)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert len(contents(tmp_path / "b")) == 2 * (COUNT - 1)


def test_a_threshold_holds_for_all_copies(photos, tmp_path):
    strict = replace(Predictor(Copies([reds, reds]), RED), threshold=2.0)
    report = predict_files(strict, FilesPlan.make(RED, [str(photos)], tmp_path / "out"), threads=2)
    assert report.background_only == COUNT - 1
