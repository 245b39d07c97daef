"""What `predict_files` leaves on disk."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from kseg.errors import OutputError
from kseg.images import read_image, read_mask, write_png
from kseg.inference import FilesPlan, Model, Predictor, PredictReport, predict_files
from tests.inference.artifacts import COLORS, RED, picture


def reds(images):
    """1 where a pixel is red."""
    return (images[..., :1] > images[..., 1:2] + 100).astype(np.float32)


def colors(images):
    blue = (images[..., 2:] > images[..., 1:2] + 100).astype(np.float32)
    return np.concatenate([0.5 * np.ones_like(blue), reds(images), blue], axis=-1)


PREDICTOR = Predictor(reds, RED)


def predict(predictor, sources, out, *, on_progress=None, **options) -> PredictReport:
    plan = FilesPlan.make(predictor.card, [str(source) for source in sources], out, **options)
    return predict_files(predictor, plan, on_progress=on_progress)


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    (folder / "sub").mkdir(parents=True)
    for name, size in (("a.png", (20, 30)), ("sub/b.png", (32, 48))):
        write_png(folder / name, picture(size)[0])
    return folder


def test_masks_hold_the_disk_values_at_the_images_size(photos, tmp_path):
    report = predict(PREDICTOR, [photos], tmp_path / "out")
    for name, size in (("a.png", (20, 30)), ("sub/b.png", (32, 48))):
        with Image.open(tmp_path / "out" / name) as written:
            assert written.mode == "L"
        mask = read_mask(tmp_path / "out" / name)
        assert mask.shape == size
        assert set(np.unique(mask)) == {0, 200}
        # The network sees 16 × 24 pixels, so the outline may be off by one.
        assert (mask != RED.labels.decode(picture(size)[1])).mean() < 0.1
    assert [entry.mask.name for entry in report.written] == ["a.png", "b.png"]
    assert report.written[0].foreground == pytest.approx((read_mask(tmp_path / "out" / "a.png") == 200).mean())
    assert report.failed == {}
    assert not list((tmp_path / "out").rglob("*_*"))


def test_overlay_and_scores_are_written_beside(photos, tmp_path):
    out = tmp_path / "out"
    predict(PREDICTOR, [photos / "a.png"], out, overlay=True, save_prob=True)
    prob, mask = read_mask(out / "a_prob.png"), read_mask(out / "a.png")
    np.testing.assert_array_equal(prob >= 127.5, mask == 200)
    assert prob.max() == 255
    shown, image = read_image(out / "a_overlay.jpg"), picture()[0]
    assert shown.shape == image.shape
    changed = np.abs(shown.astype(int) - image).max(axis=-1)
    assert changed[16:, 24:].max() < 12  # only JPEG's noise far from the object
    assert changed[4:10, 8:17].min() > 25, "and the object is tinted throughout"


def test_scores_of_several_classes_are_npz(photos, tmp_path):
    predict(Predictor(colors, COLORS), [photos / "a.png"], tmp_path / "out", save_prob=True)
    with np.load(tmp_path / "out" / "a_prob.npz") as file:
        scores = file["scores"]
    assert (scores.shape, scores.dtype) == ((20, 30, 3), np.float16)
    np.testing.assert_array_equal(COLORS.labels.disk_values()[scores.argmax(-1)], read_mask(tmp_path / "out" / "a.png"))


def test_the_mask_of_a_turned_photo_is_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 8
    Image.fromarray(picture((20, 30))[0]).save(tmp_path / "turned.png", exif=exif)
    predict(PREDICTOR, [tmp_path / "turned.png"], tmp_path / "out")
    mask = read_mask(tmp_path / "out" / "turned.png")
    expected = np.rot90(picture((20, 30))[1])
    assert mask.shape == (30, 20)
    assert ((mask == 200) != expected).mean() < 0.12


def test_the_threshold_decides(photos, tmp_path):
    half = Predictor(lambda images: 0.5 * reds(images), RED)
    assert predict(half, [photos], tmp_path / "a").background_only == 0
    assert predict(replace(half, threshold=0.6), [photos], tmp_path / "b").background_only == 2


def test_bad_files_are_collected_and_the_others_go_on(photos, tmp_path):
    (photos / "aa.jpg").write_text("not an image")
    (photos / "z.png").write_bytes((photos / "a.png").read_bytes()[:60])
    calls = []
    report = predict(PREDICTOR, [photos], tmp_path / "out", on_progress=lambda *n: calls.append(n))
    assert [picture.image.name for picture in report.failed] == ["aa.jpg", "z.png"]
    assert "aa.jpg: not an image" in next(iter(report.failed.values()))
    assert len(report.written) == 2
    assert calls == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert not (tmp_path / "out" / "aa.png").exists()


def test_a_second_prediction_replaces_the_first_and_reads_none_of_it(photos, caplog):
    caplog.set_level("INFO", "kseg")
    out = photos / "masks"
    first = predict(PREDICTOR, [photos], out, overlay=True, save_prob=True)
    (out / "a.png").unlink()
    second = predict(replace(PREDICTOR, threshold=2.0), [photos], out, overlay=True, save_prob=True)
    assert [e.image for e in first.written] == [e.image for e in second.written]
    assert second.background_only == 2
    assert not read_mask(out / "sub" / "b.png").any()
    assert len(list(out.rglob("*.*"))) == 6
    assert [message.split(" (")[0] for message in caplog.messages] == ["skipped 5 pictures that kseg itself wrote"]


def test_predictions_in_another_folder_are_no_photographs(photos):
    predict(PREDICTOR, [photos], photos / "m1", overlay=True)
    report = predict(PREDICTOR, [photos], photos / "m2")
    assert [e.image.name for e in report.written] == ["a.png", "b.png"]
    assert sorted(str(path.relative_to(photos / "m2")) for path in (photos / "m2").rglob("*.*")) == [
        "a.png",
        "sub/b.png",
    ]


def test_a_mask_that_python_saved_is_no_photograph(photos):
    Model(PREDICTOR, photos)(photos / "a.png").save(photos / "mask.png")
    assert (read_mask(photos / "mask.png") == 200).any()
    assert [e.image.name for e in predict(PREDICTOR, [photos], photos / "out").written] == ["a.png", "b.png"]


@pytest.mark.parametrize(
    ("name", "options"),
    [("a.png", {}), ("a_overlay.jpg", {"overlay": True}), ("a_prob.png", {"save_prob": True})],
)
def test_files_that_kseg_did_not_write_are_never_replaced(photos, tmp_path, name, options):
    out = tmp_path / "masks"
    out.mkdir()
    write_png(out / name, np.full((4, 4), 7, np.uint8))
    with pytest.raises(OutputError) as caught:
        predict(PREDICTOR, [photos], out, **options)
    assert str(caught.value) == (
        f"{out}: files would be overwritten that kseg predict did not write, or that were changed since; "
        f"found {out / name}; choose another --out, or remove these files"
    )
    assert (read_mask(out / name) == 7).all()
    assert [path.name for path in out.iterdir()] == [name]
    (out / name).unlink()
    assert len(predict(PREDICTOR, [photos], out, **options).written) == 2


def test_a_mask_that_was_corrected_by_hand_is_never_replaced(photos, tmp_path):
    predict(PREDICTOR, [photos], tmp_path / "out")
    corrected = np.full((20, 30), 200, np.uint8)
    Image.fromarray(corrected).save(tmp_path / "out" / "a.png")
    with pytest.raises(OutputError, match=r"that were changed since; found .*/out/a\.png; choose"):
        predict(PREDICTOR, [photos], tmp_path / "out")
    np.testing.assert_array_equal(read_mask(tmp_path / "out" / "a.png"), corrected)


@pytest.mark.parametrize("channels", [1, 3])
def test_predictions_of_other_pictures_are_never_replaced(photos, monkeypatch, channels):
    monkeypatch.chdir(photos.parent)
    predictor = PREDICTOR if channels == 1 else Predictor(colors, COLORS)
    options = {"overlay": True, "save_prob": True}
    predict(predictor, ["photos"], Path("out"), **options)
    before = {path: path.read_bytes() for path in Path("out").rglob("*.*")}
    other = Path(shutil.copytree("photos", "day2"))
    (other / "new.png").write_bytes((other / "a.png").read_bytes())
    with pytest.raises(OutputError) as caught:
        predict(predictor, ["day2"], Path("out"), **options)
    suffix = "png" if channels == 1 else "npz"
    assert str(caught.value) == (
        "out: the predictions of other pictures would be overwritten; found out/a.png of photos/a.png, "
        f"out/a_overlay.jpg of photos/a.png, out/a_prob.{suffix} of photos/a.png, out/sub/b.png of photos/sub/b.png, "
        "out/sub/b_overlay.jpg of photos/sub/b.png and 1 more; choose another --out, or remove these files"
    )
    assert {path: path.read_bytes() for path in Path("out").rglob("*.*")} == before
    shutil.rmtree("out")
    assert len(predict(predictor, ["day2"], Path("out"), **options).written) == 3


def test_pictures_and_predictions_may_move_together(photos, tmp_path):
    predict(PREDICTOR, [photos], photos / "out")
    moved = photos.rename(tmp_path / "moved")
    assert len(predict(PREDICTOR, [moved], moved / "out").written) == 2


def test_pictures_of_one_name_are_both_there_and_reported(photos, tmp_path):
    cv2.imwrite(str(photos / "a.bmp"), np.zeros((8, 8, 3), np.uint8))
    report = predict(PREDICTOR, [photos], tmp_path / "out")
    assert {entry.image.name: entry.mask.name for entry in report.renamed} == {
        "a.png": "a.png.png",
        "a.bmp": "a.bmp.png",
    }
    assert read_mask(tmp_path / "out" / "a.png.png").shape == (20, 30)
    assert read_mask(tmp_path / "out" / "a.bmp.png").shape == (8, 8)


def test_an_output_that_is_a_file_is_an_output_error(photos, tmp_path):
    (tmp_path / "out").touch()
    with pytest.raises(OutputError, match="out: the output folder cannot be written"):
        predict(PREDICTOR, [photos], tmp_path / "out")


def test_a_name_that_is_not_utf8_is_predicted(photos, tmp_path):
    odd = os.fsdecode(os.fsencode(photos) + b"/caf\xe9.png")
    write_png(photos / "sub" / "x.png", picture()[0])
    os.rename(photos / "sub" / "x.png", odd)
    for _ in range(2):
        report = predict(PREDICTOR, [odd], tmp_path / "out")
        assert report.written[0].mask.exists()


def test_pictures_with_names_as_long_as_the_file_system_allows(tmp_path):
    photo = tmp_path / ("x" * 251 + ".png")
    write_png(photo, picture()[0])
    report = predict(PREDICTOR, [photo], tmp_path / "out")
    assert [entry.mask.name for entry in report.written] == [photo.name]
    with pytest.raises(OutputError) as error:
        predict(PREDICTOR, [photo], tmp_path / "overlays", overlay=True)
    assert str(error.value) == (
        f"{tmp_path}/overlays/{photo.stem}_overlay.jpg: the name of a file would be too long; "
        "expected at most 255 bytes; found 263 bytes; give the picture a shorter name"
    )
    assert error.value.exit_code == 1
    assert not (tmp_path / "overlays").exists()
