"""`kseg.fit`, `kseg.resume` and `kseg.check`: keywords are the keys of the YAML, and mistakes are one line."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest
import yaml

import kseg
from kseg.augment import parse
from kseg.errors import ConfigError, DataError, KsegError, OutputError, UnknownNameError, UsageError
from kseg.training import Reporter, Run
from tests.api.conftest import CLASSES, SMALL, VALUES


def test_a_run_has_its_folder_its_best_epoch_and_its_history(run: Run) -> None:
    rows = list(csv.DictReader((run.folder / "results.csv").read_text().splitlines()))
    assert os.fspath(run) == str(run.folder)
    assert run.history["val_iou"] == pytest.approx([float(row["val_iou"]) for row in rows], rel=1e-4)
    assert set(run.history) == set(rows[0])
    assert run.best["val_iou"] == max(run.history["val_iou"])
    assert f"best epoch {run.best_epoch} of 2" in repr(run)
    html = run._repr_html_()
    assert f"{run.best['val_iou']:.4f}" in html
    assert "validation" in html
    assert f"{run.folder}: best epoch {run.best_epoch} of 2" in html, "the title is one line, however long the path"


def test_keywords_are_the_keys_of_the_yaml_and_lie_over_the_file(photos: Path, tmp_path: Path) -> None:
    class Stop(Reporter):
        def started(self, folder: Path, facts: object) -> None:
            raise KeyboardInterrupt

    config = {"data": {"root": str(photos), "classes": CLASSES, "values": {0: CLASSES[0], 255: CLASSES[1]}}}
    config |= {"train": {"epochs": 9, "batch": 5}, "model": {"widths": [4, 8]}}
    (tmp_path / "photos.yaml").write_text(yaml.safe_dump(config))
    with pytest.raises(KeyboardInterrupt):
        kseg.fit(
            tmp_path / "photos.yaml", reporter=Stop(), epochs=3, train={"imgsz": [32, 48]}, project=tmp_path / "runs",
            name="mine", augment="light", split={"by": "fractions", "train": 0.5, "val": 0.25, "test": 0.25},
            **{"model.norm": "group"},
        )  # fmt: skip
    written = yaml.safe_load((tmp_path / "runs" / "fit" / "mine" / "args.yaml").read_text())
    assert written["train"]["epochs"] == 3
    assert written["train"]["batch"] == 5
    assert written["train"]["imgsz"] == [32, 48]
    assert written["model"]["widths"] == [4, 8]
    assert written["model"]["norm"] == "group"
    assert written["data"]["split"]["train"] == 0.5
    assert parse(written["augment"]) == parse("light")


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        (
            {"epohcs": 3},
            UnknownNameError,
            r"kseg\.fit\(epohcs=…\): unknown setting 'epohcs'; .*did you mean 'epochs'\?",
        ),
        ({"epochs": 0}, ConfigError, r"kseg\.fit\(epochs=…\): train\.epochs: "),
        ({"encoder": "mobilenet2"}, UsageError, r"model\.encoder: unknown encoder.*did you mean 'mobilenetv2'\?"),
        ({"imgsz": [33, 33]}, UsageError, r"does not divide by 4.*the nearest size that works"),
        ({"loss": "dise"}, UsageError, r"train\.loss: unknown loss 'dise'.*did you mean 'dice'"),
        ({"data": "nowhere"}, ConfigError, r"data\.root.*nowhere"),
        ({"batch": 500}, ConfigError, r"train\.batch: the batch is larger than the training data"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_no_folder(
    photos: Path, tmp_path: Path, settings: dict[str, object], error: type[KsegError], message: str
) -> None:
    with pytest.raises(error, match=message) as caught:
        kseg.fit(**{"data": photos, "project": tmp_path / "runs", **SMALL, **settings})
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "runs").exists()


def test_a_run_that_has_ended_is_not_resumed(run: Run) -> None:
    with pytest.raises(UsageError, match="the run has ended"):
        kseg.resume(run)


def test_check_tells_the_findings_and_writes_the_configuration(photos: Path, tmp_path: Path) -> None:
    checked = kseg.check(photos, classes=CLASSES, fix_config=tmp_path / "photos.yaml")
    assert {finding.severity for finding in checked.findings} <= {"warning", "note"}
    assert checked.errors == checked.questions == []
    assert sum(checked.counts.values()) == 40
    assert f"{photos}: 40 samples" in repr(checked)
    for finding in checked.findings:
        assert finding.what in str(checked)
        assert finding.code in checked._repr_html_()
    assert checked.fixes["data.values"] == VALUES
    assert [finding.code for finding in checked.settled] == ["zero-255"]
    assert yaml.safe_load((tmp_path / "photos.yaml").read_text())["data"]["classes"] == CLASSES
    assert kseg.check(tmp_path / "photos.yaml").errors == []
    with pytest.raises(OutputError, match="the file exists already"):
        kseg.check(photos, fix_config=tmp_path / "photos.yaml")


def test_check_finds_what_is_broken(photos: Path, tmp_path: Path) -> None:
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
        for path in sorted((photos / folder).iterdir())[:10]:
            (tmp_path / folder / path.name).write_bytes(path.read_bytes())
    next((tmp_path / "masks").iterdir()).write_bytes(b"no picture")
    checked = kseg.check(tmp_path, classes=CLASSES)
    assert any("cannot be read" in finding.what for finding in checked.errors)
    with pytest.raises(UnknownNameError, match=r"kseg\.check\(clases=…\): unknown setting 'clases'.*'classes'"):
        kseg.check(tmp_path, clases=CLASSES)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no layout of a data set is recognised"):
        kseg.check(tmp_path / "empty")


def test_a_target_that_does_not_exist_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none: no such file or folder; expected a folder of images and masks, or a"):
        kseg.check(tmp_path / "none")
