"""Scores against scikit-learn, with the averaging that each name promises."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from sklearn import metrics as sk

from kseg.data.sample import Sample
from kseg.errors import DataError
from kseg.evaluation import CLASS_SCORES, Counts, ImageScore, Scores, check_labels, count, evaluate
from kseg.images import read_image, read_mask, write_png
from kseg.inference import Decision, Predictor
from kseg.labels import LabelMap
from kseg.metrics import boundary_counts, boundary_f1, boundary_iou
from tests.evaluation.data import write_data
from tests.inference.artifacts import COLORS, RED


def blurred_red(images):
    """Red, but a quarter of the network's columns is never found."""
    scores = (images[..., :1] > images[..., 1:2] + 60).astype(np.float32)
    scores[:, :, :6] = 0
    return scores


PREDICTOR = Predictor(blurred_red, RED)


@pytest.fixture
def samples(tmp_path):
    root = write_data(tmp_path)
    return [Sample(p.stem, p, root / "masks" / p.name) for p in sorted((root / "images").iterdir())]


def flat(samples, predictor=PREDICTOR):
    """Truth and prediction of every image, flat."""
    truth = [RED.labels.encode(read_mask(s.mask)).ravel() for s in samples]
    return truth, [predictor.predict(read_image(s.image)).ravel() for s in samples]


def test_dataset_scores_sum_the_pixels_first(samples):
    scores = evaluate(PREDICTOR, samples, RED.labels)
    truth, guess = map(np.concatenate, flat(samples))
    assert 0.3 < scores.iou < 0.95  # neither trivial
    assert scores.iou == pytest.approx(sk.jaccard_score(truth, guess))
    assert scores.dice == pytest.approx(sk.f1_score(truth, guess))
    assert scores.class_scores("precision") == pytest.approx(sk.precision_score(truth, guess, average=None))
    assert scores.class_scores("recall") == pytest.approx(sk.recall_score(truth, guess, average=None))
    assert scores.mean_iou == pytest.approx(sk.jaccard_score(truth, guess, average="macro"))
    assert scores.pixel_accuracy == pytest.approx(sk.accuracy_score(truth, guess))
    assert scores.threshold == 0.5


def test_per_image_scores_leave_out_images_without_foreground(samples):
    scores = evaluate(PREDICTOR, samples, RED.labels)
    pairs = [(t, g) for t, g in zip(*flat(samples), strict=True) if t.any() or g.any()]
    assert (scores.images, scores.foreground_images, len(pairs)) == (6, 5, 5)
    assert scores.image_iou == pytest.approx(np.mean([sk.jaccard_score(t, g) for t, g in pairs]))
    assert scores.image_dice == pytest.approx(np.mean([sk.f1_score(t, g) for t, g in pairs]))
    assert scores.image_iou != pytest.approx(scores.iou, abs=1e-3)
    assert math.isnan(scores.per_image[2].iou)


def test_the_other_scores_are_those_of_scikit_learn_too(samples):
    scores = evaluate(PREDICTOR, samples, RED.labels)
    truth, guess = map(np.concatenate, flat(samples))
    assert scores.mean("specificity") == pytest.approx(sk.recall_score(truth, guess, pos_label=0))
    assert scores.mean("recall", "all") == pytest.approx(sk.balanced_accuracy_score(truth, guess))
    assert scores.mean("precision", "all") == pytest.approx(sk.precision_score(truth, guess, average="macro"))
    pairs = [(t, g) for t, g in zip(*flat(samples), strict=True)]
    pairs_with_foreground = [(t, g) for t, g in pairs if t.any()]
    assert scores.image_mean("recall") == (
        pytest.approx(np.mean([sk.recall_score(t, g) for t, g in pairs_with_foreground])),
        5,
    )
    expected = np.mean([sk.recall_score(t, g, pos_label=0) for t, g in pairs])
    assert scores.image_mean("specificity") == (pytest.approx(expected), 6)
    expected = np.mean([sk.accuracy_score(t, g) for t, g in pairs])
    assert scores.image_pixel_accuracy == (pytest.approx(expected), 6)


def test_boundary_scores_sum_the_pixels_first_or_last(samples):
    scores = evaluate(PREDICTOR, samples, RED.labels)
    parts = [boundary_counts(t.reshape(20, 30), g.reshape(20, 30), 2) for t, g in zip(*flat(samples), strict=True)]
    intersection, union = (sum(getattr(part, name) for part in parts) for name in ("band_both", "band_either"))
    assert scores.class_scores("boundary_iou") == pytest.approx(intersection / union)
    assert scores.image_mean("boundary_f1") == (pytest.approx(np.nanmean([boundary_f1(p)[1] for p in parts])), 5)
    assert scores.image_mean("boundary_iou") == (pytest.approx(np.nanmean([boundary_iou(p)[1] for p in parts])), 5)
    assert 0.1 < scores.mean("boundary_iou") < scores.iou


def test_calibration_is_of_the_probabilities_whatever_the_threshold(samples):
    sure = Predictor(lambda images: 0.2 + 0.6 * blurred_red(images), RED)
    truth = np.concatenate(flat(samples)[0])
    red = np.concatenate([sure.scores(read_image(s.image)).ravel() for s in samples])
    confidence, hit = np.maximum(red, 1 - red), (red >= 0.5) == truth
    bins = np.ceil(confidence * 15)
    parts = [bins == b for b in np.unique(bins)]
    expected = sum(abs(hit[part].sum() - confidence[part].sum(dtype=float)) for part in parts) / truth.size
    assert 0.05 < expected < 0.3
    for threshold in (None, 0.1, 0.9):
        scores = evaluate(replace(sure, threshold=threshold), samples, RED.labels)
        assert scores.calibration_error == pytest.approx(expected, abs=1e-6)


def test_no_image_at_all_has_no_scores():
    assert Counts.zero(3).matrix.sum() == 0
    assert math.isnan(Scores(COLORS.labels, (), None).calibration_error)


def test_hidden_outlines_are_warned_of():
    scores = scores_of(([0, 0, 0, 255, 1, 1, 1], [0, 0, 0, 0, 1, 1, 1]))
    assert scores.iou == 1.0
    assert math.isnan(scores.mean("boundary_iou"))
    assert scores.warnings[-1] == (
        "no boundary scores of background, red: ignored pixels hide more than 90% of the boundary"
    )


def test_a_false_alarm_counts_as_an_image_with_foreground(samples):
    scores = evaluate(Predictor(lambda images: np.ones((*images.shape[:3], 1), np.float32), RED), samples, RED.labels)
    assert scores.foreground_images == 6
    assert scores.per_image[2].iou == 0.0


def test_scores_are_taken_at_the_original_size(tmp_path):
    """One column in thirty of a wide image: seen only where the mask is not shrunk to the network's 24 columns."""
    image, ids = np.full((16, 240, 3), 120, np.uint8), np.zeros((16, 240), np.uint8)
    ids[:, 100:103] = 1
    write_png(tmp_path / "i.png", image)
    write_png(tmp_path / "m.png", RED.labels.decode(ids))
    scores = evaluate(PREDICTOR, [Sample("i", tmp_path / "i.png", tmp_path / "m.png")], RED.labels)
    assert scores.matrix.tolist() == [[16 * 237, 0], [16 * 3, 0]]


def test_ignored_pixels_count_nowhere(tmp_path):
    mask = np.full((16, 24), 9, np.uint8)
    mask[0] = 7
    write_png(tmp_path / "i.png", np.zeros((16, 24, 3), np.uint8))
    write_png(tmp_path / "m.png", mask)
    always_red = Predictor(lambda i: np.broadcast_to(np.float32([0, 1, 0]), (*i.shape[:3], 3)), COLORS)
    scores = evaluate(always_red, [Sample("i", tmp_path / "i.png", tmp_path / "m.png")], COLORS.labels)
    assert scores.matrix.sum() == 24
    assert scores.pixel_accuracy == 0.0
    assert scores.threshold is None


def test_the_threshold_is_used_and_reported(samples):
    half = Predictor(lambda images: 0.5 * blurred_red(images), RED)
    assert evaluate(half, samples, RED.labels).class_scores("recall")[1] > 0
    scores = evaluate(replace(half, threshold=0.6), samples, RED.labels)
    assert (scores.class_scores("recall")[1], scores.threshold) == (0.0, 0.6)


def test_background_only_is_warned_of(samples):
    blank = Predictor(lambda images: np.zeros((*images.shape[:3], 1), np.float32), RED)
    scores = evaluate(blank, samples, RED.labels)
    assert scores.warnings == ("the model predicts background only on all 6 images",)
    assert scores.iou == 0.0
    assert scores.pixel_accuracy > 0.6
    assert evaluate(PREDICTOR, samples, RED.labels).warnings == ()


def scores_of(*pairs):
    """Of rows of pixels; every answer is 0.8 sure."""
    rows = []
    for i, (truth, ids) in enumerate(pairs):
        ids = np.array([ids], np.uint8)
        decision = Decision(ids, ids, np.full(ids.shape, 0.8, np.float32))
        rows.append(ImageScore(str(i), count(np.array([truth], np.uint8), decision, 3), (1, 2)))
    return Scores(COLORS.labels, tuple(rows), None)


def test_several_classes_are_averaged_as_promised():
    scores = scores_of(([0, 0, 1, 1], [0, 1, 1, 1]), ([2, 2, 2, 0], [2, 2, 0, 0]), ([0, 0, 0, 0], [0, 0, 0, 0]))
    assert scores.class_scores("iou") == pytest.approx([6 / 8, 2 / 3, 2 / 3])
    assert scores.iou == pytest.approx(2 / 3)
    assert scores.mean_iou == pytest.approx((6 / 8 + 2 / 3 + 2 / 3) / 3)
    assert [row.iou for row in scores.per_image[:2]] == pytest.approx([2 / 3, 2 / 3])
    assert scores.class_image_mean("iou")[1] == (pytest.approx(2 / 3), 1)
    assert scores.class_image_mean("iou")[0] == (pytest.approx((1 / 2 + 1 / 2 + 1) / 3), 3)
    assert scores.image_mean("iou", "all") == (pytest.approx(((1 / 2 + 2 / 3) / 2 * 2 + 1) / 3), 3)
    # An image without foreground has no IoU and no recall; that nothing is found in it is right.
    assert scores.image_mean("recall") == (pytest.approx((1 + 2 / 3) / 2), 2)
    assert scores.image_mean("specificity") == (pytest.approx((3 / 4 + 1 + 1) / 3), 3)
    assert scores.image_pixel_accuracy == (pytest.approx((3 / 4 + 3 / 4 + 1) / 3), 3)


def test_a_class_that_is_never_predicted_or_never_there_is_named():
    assert scores_of(([0, 1, 2], [0, 1, 1])).warnings == ("class 'blue' is never predicted, though the masks hold it",)
    assert scores_of(([0, 1, 1], [0, 1, 1])).warnings == ("class 'blue' is in none of the masks: it has no recall",)
    assert scores_of(([255, 255], [0, 1])).warnings == (
        "all pixels of all 1 masks are ignored: there is nothing to score",
    )


def test_json_has_the_numbers_with_null_for_what_is_undefined(samples):
    scores = evaluate(PREDICTOR, samples, RED.labels)
    data = json.loads(json.dumps(scores.to_json(), allow_nan=False))
    assert data["over_the_dataset"]["foreground_iou"] == scores.iou
    assert data["per_image"]["foreground_dice"] == scores.image_dice
    assert data["per_image"]["images"] == 5
    assert [row["key"] for row in data["rows"]] == list("012345")
    assert data["rows"][2]["iou"] is None
    assert data["rows"][0]["true_pixels"] == [600 - 150, 150]
    assert data["classes"][1] == {
        "name": "red",
        **{name: scores.mean(name) for name in CLASS_SCORES},
        **{f"{name}_per_image": scores.image_mean(name)[0] for name in CLASS_SCORES},
        "images": 5,
    }
    for name in CLASS_SCORES:
        assert data["over_the_dataset"][f"foreground_{name}"] == scores.mean(name)
        assert data["over_the_dataset"][f"mean_{name}"] == scores.mean(name, "all")
        assert data["per_image"][f"foreground_{name}"] == scores.image_mean(name)[0]
        assert data["per_image"]["counted_images"][f"mean_{name}"] == scores.image_mean(name, "all")[1]
    assert data["per_image"]["counted_images"]["foreground_specificity"] == 6
    assert data["over_the_dataset"]["expected_calibration_error"] == scores.calibration_error
    assert sum(data["calibration"]["pixels"]) == 6 * 600
    assert sum(data["calibration"]["hits"]) == np.trace(scores.matrix)
    assert np.array(data["confusion"]).sum() == 6 * 600


def test_progress_is_told(samples):
    calls = []
    evaluate(PREDICTOR, samples, RED.labels, on_progress=lambda *n: calls.append(n))
    assert calls == [(i, 6) for i in range(1, 7)]


def test_other_classes_than_the_models_are_a_data_error():
    with pytest.raises(
        DataError, match="other classes than the model; expected background, red; found background, glasses"
    ):
        check_labels(LabelMap(("background", "glasses")), RED.labels)


def test_nothing_to_evaluate_is_a_data_error():
    with pytest.raises(DataError, match="there are no images to evaluate on"):
        evaluate(PREDICTOR, [], RED.labels)


def test_unusable_masks_are_data_errors_that_name_the_file(samples):
    with pytest.raises(DataError, match=r"0\.png: the sample has no mask"):
        evaluate(PREDICTOR, [Sample("0", samples[0].image, None)], RED.labels)
    write_png(samples[1].mask, np.zeros((20, 31), np.uint8))
    with pytest.raises(
        DataError, match=r"1\.png: the mask has another size than the image; expected 20×30 .*; found 20×31"
    ):
        evaluate(PREDICTOR, samples, RED.labels)
    write_png(samples[0].mask, np.full((20, 30), 3, np.uint8))
    with pytest.raises(
        DataError, match=r"0\.png: the mask holds values .* found 3; say what .* data\.values, e\.g\. 3: ignore"
    ):
        evaluate(PREDICTOR, samples, RED.labels)
