"""`kseg.load`, `evaluate`, `export` and `benchmark` on a trained run."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn import metrics as sk

import kseg
from kseg.data.dataset import Dataset
from kseg.errors import ArtifactError, ImageError, OutputError, UnknownNameError, UsageError
from kseg.exporters import ExportReport
from kseg.images import read_image, read_mask
from kseg.inference import Model
from kseg.training import Run


@pytest.fixture(scope="module")
def exported(run: Run, tmp_path_factory: pytest.TempPathFactory) -> ExportReport:
    return kseg.export(run, formats=["tflite"], out=tmp_path_factory.mktemp("export"))


@pytest.fixture(scope="module")
def model(run: Run) -> Model:
    return kseg.load(run)


@pytest.fixture
def photo(photos: Path) -> Path:
    return sorted((photos / "images").iterdir())[0]


def test_a_path_an_array_and_a_pillow_image_are_the_same_picture(model: Model, photo: Path) -> None:
    result, pixels = model(photo), read_image(photo)
    for picture in (str(photo), pixels, Image.open(photo)):
        np.testing.assert_array_equal(model(picture).mask, result.mask)
    assert [entry.mask.shape for entry in model([photo, pixels])] == [result.mask.shape] * 2
    np.testing.assert_array_equal(result.image, pixels)


def test_the_mask_is_what_the_scores_say_at_the_pictures_size(model: Model, photo: Path) -> None:
    large = np.array(Image.open(photo).convert("RGB").resize((150, 100)))
    result = model(large)
    assert (result.mask.shape, result.mask.dtype) == ((100, 150), np.uint8)
    assert (result.scores.shape, result.scores.dtype) == ((100, 150, 1), np.float32)
    np.testing.assert_array_equal(result.mask, result.scores[..., 0] >= 0.5)
    assert result.shares["eyeglasses"] == pytest.approx(result.mask.mean())
    assert math.isclose(sum(result.shares.values()), 1)
    np.testing.assert_array_equal(model.predictor.predict(large), result.mask)


def test_a_photo_turned_by_exif_is_upright(model: Model, photo: Path, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.open(photo).convert("RGB").crop((0, 0, 48, 30)).save(tmp_path / "turned.png", exif=exif)
    assert model(tmp_path / "turned.png").mask.shape == (48, 30)
    np.testing.assert_array_equal(model(Image.open(tmp_path / "turned.png")).mask, model(tmp_path / "turned.png").mask)


def test_a_grey_array_is_a_picture_of_equal_channels(model: Model) -> None:
    grey = np.arange(48 * 40, dtype=np.uint8).reshape(48, 40)
    np.testing.assert_array_equal(model(grey).scores, model(np.dstack([grey] * 3)).scores)


def test_the_overlay_is_the_picture_with_the_mask_on_it(model: Model, photo: Path) -> None:
    result = model(photo)
    assert result.mask.any()
    changed = (np.asarray(result.overlay()) != result.image).any(axis=-1)
    assert changed[result.mask == 1].mean() > 0.9
    assert result._repr_png_().startswith(b"\x89PNG")
    assert "eyeglasses" in repr(result)


def test_a_saved_mask_holds_the_values_of_the_data_and_replaces_nothing_unasked(
    model: Model, photo: Path, tmp_path: Path
) -> None:
    result = model(photo)
    path = result.save(tmp_path / "new" / "mask.png")
    np.testing.assert_array_equal(read_mask(path), result.mask * 255)
    with pytest.raises(OutputError, match=r"mask\.png: the file exists already; .*overwrite=True"):
        result.save(path)
    result.save(path, overwrite=True)
    with pytest.raises(UsageError, match=r"masks are written as PNG; name it .*mask\.png"):
        result.save(tmp_path / "mask.jpg")


@pytest.mark.parametrize(
    ("picture", "message"),
    [
        (np.zeros((4, 4, 3)), r"found float64 \[4, 4, 3\]; if the values lie in 0\.\.1, pass \(255 \* image\)"),
        (np.zeros((2, 4, 4, 3), np.uint8), r"pass a batch as a list: model\(list\(images\)\)"),
        (np.zeros((4, 4, 4), np.uint8), r"expected an RGB array uint8 \[H, W, 3\], or grey \[H, W\]"),
        (np.zeros((0, 4, 3), np.uint8), "not a picture"),
        (7, r"expected a path, a NumPy array, a Pillow image, or a list of them; found int"),
    ],
)
def test_what_is_no_picture_is_one_line(model: Model, picture: object, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        model(picture)  # type: ignore[call-overload]


def test_a_picture_that_cannot_be_used_is_an_image_error(model: Model) -> None:
    with pytest.raises(ImageError, match=r"nothing\.jpg: no such file"):
        model("nothing.jpg")
    with pytest.raises(ImageError, match="the picture: the image has transparent pixels"):
        model(Image.new("RGBA", (8, 8)))


def test_scores_are_those_of_the_masks(run: Run, model: Model) -> None:
    scores = kseg.evaluate(run, split="all")
    dataset = Dataset.load(run.folder / "data.json")
    truth = np.concatenate([dataset.labels.encode(read_mask(s.mask)).ravel() for s in dataset.samples("all")])
    predicted = np.concatenate([model(s.image).mask.ravel() for s in dataset.samples("all")])
    assert scores.iou == pytest.approx(sk.jaccard_score(truth, predicted))
    assert scores.per_class["eyeglasses"]["recall"] == pytest.approx(sk.recall_score(truth, predicted))
    assert list(scores.per_class) == ["background", "eyeglasses"]
    assert f"iou={scores.iou:.4f}" in repr(scores)
    html = scores._repr_html_()
    assert f"{scores.iou:.4f}" in html
    assert "split all: 40 images" in html
    assert "eyeglasses" in scores.per_class._repr_html_()


def test_options_of_prediction_change_the_scores(run: Run, photo: Path) -> None:
    everything = kseg.evaluate(run, threshold=0.0, boundary=False)
    assert everything.per_class["eyeglasses"]["recall"] == 1.0
    assert "boundary" not in everything._repr_html_()
    assert not kseg.load(run, min_area=10**6)(photo).mask.any()
    assert not kseg.load(run, min_area=["eyeglasses=1000000"])(photo).mask.any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"split": "tset"}, r"split: unknown split 'tset'; .*did you mean 'test'\?"),
        ({"device": "tpu"}, r"--device: unknown device 'tpu'"),
        ({"threshold": 2}, "not a threshold"),
        ({"zoom": 0.5}, "zoom"),
        ({"min_area": "glasses=3"}, "min-area"),
        ({"data": "nowhere"}, "no such file or folder"),
    ],
)
def test_a_mistake_in_evaluate_is_one_line(run: Run, options: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        kseg.evaluate(run, **options)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_export_scores_what_it_writes_and_both_artifacts_predict(run: Run, exported: ExportReport, photo: Path) -> None:
    assert [row.file for row in exported.rows if row.runtime in ("keras", "litert")] == [
        "model.keras", "model_float32.tflite", "model_int8.tflite",
    ]  # fmt: skip
    assert exported.rows[0].iou == pytest.approx(kseg.evaluate(run).iou)
    assert f"{exported.rows[1].iou:.4f}" in exported._repr_html_()
    assert "model_int8.tflite" in repr(exported)
    expected = kseg.load(run)(photo).mask
    for file, least in (("model_float32.tflite", 0.95), ("model_int8.tflite", 0.6)):
        mask = kseg.load(exported.out / file)(photo).mask
        assert (mask & expected).sum() > least * (mask | expected).sum() > 0


def test_a_format_may_be_named_without_a_list(run: Run, tmp_path: Path) -> None:
    report = kseg.export(run, formats="tflite", quantize="none", out=tmp_path)
    assert list(dict.fromkeys(row.file for row in report.rows)) == ["model.keras", "model_float32.tflite"]


def test_a_mistake_in_export_is_one_line(run: Run, exported: ExportReport, tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match=r"unknown export format 'tflight'.*did you mean 'tflite'"):
        kseg.export(run, formats=["tflight"], out=tmp_path)
    with pytest.raises(ArtifactError, match="only a Keras model can be exported"):
        kseg.export(exported.out / "model_int8.tflite", out=tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_drop_that_is_none_is_one_line(run: Run, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        kseg.export(run, formats="tflite", max_iou_drop=1.5, out=tmp_path / "out")
    assert str(caught.value) == "--max-iou-drop: not a drop of an IoU; expected 0 to 1; found 1.5"
    assert not (tmp_path / "out").exists()


def test_benchmark_measures_every_file_of_an_export(exported: ExportReport) -> None:
    results = kseg.benchmark(exported.out / "model_int8.tflite", devices="cpu", threads=[1, 2], num_runs=3, warmup=1)
    assert [(row.device, row.threads) for row in results.rows] == [("cpu", 1), ("cpu", 2)]
    assert all(row.p50 > 0 for row in results.rows)
    assert "model_int8.tflite" in results._repr_html_()
    assert f"{results.rows[0].p50:.2f} ms" in repr(results)


def test_a_mistake_in_benchmark_is_one_line(exported: ExportReport) -> None:
    with pytest.raises(UsageError, match="no models are named"):
        kseg.benchmark()
    with pytest.raises(UsageError, match="runs: the number is too small; expected at least 1; found 0"):
        kseg.benchmark(exported.out, num_runs=0)
    with pytest.raises(UnknownNameError, match="unknown device 'tpu'"):
        kseg.benchmark(exported.out, devices="tpu")  # type: ignore[arg-type]
