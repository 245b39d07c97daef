"""What is measured of an artifact, on predictors whose faults are known."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from kseg.card import ModelCard
from kseg.data.sample import Sample
from kseg.evaluation.bootstrap import Interval
from kseg.exporters.parity.comparison import Agreement, Comparison
from kseg.exporters.parity.gate import Gate
from kseg.exporters.parity.measure import Measurement, Yardstick
from kseg.exporters.parity.pictures import draw_worst
from kseg.exporters.parity.record import KeptScores, PredictionRecord, record_predictions
from kseg.exporters.parity.row import ClassDrop, ParityRow
from kseg.exporters.parity.tables import parity_markdown, parity_table
from kseg.images import read_image, write_png
from kseg.inference import Predictor
from kseg.labels import LabelMap

SIZE = (24, 32)
LABELS = LabelMap(("background", "bright"))
CARD = ModelCard("bright", "none", *SIZE, LABELS)

Scores = npt.NDArray[np.float32]
Change = Callable[[Scores], Scores]


def brightness(images: npt.NDArray[np.uint8]) -> Scores:
    return np.asarray(images[..., :1] / np.float32(255), np.float32)


def predictor(change: Change = lambda scores: scores) -> Predictor:
    return Predictor(lambda images: change(brightness(images)), CARD)


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> list[Sample]:
    """Smooth bright spots, each brighter than half where the mask says so."""
    root = tmp_path_factory.mktemp("spots")
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    samples = []
    for k in range(6):
        spot = np.exp(-(((rows - 12) / 5) ** 2 + ((columns - 10 - 2 * k) / 6) ** 2))
        image = np.rint(40 + 200 * spot).astype(np.uint8)
        samples.append(Sample(f"spot {k}", root / f"{k}.png", root / f"{k}_mask.png"))
        write_png(root / f"{k}.png", np.repeat(image[..., None], 3, axis=2))
        write_png(root / f"{k}_mask.png", (image > 127).astype(np.uint8))
    return samples


@pytest.fixture(scope="module")
def model(samples: list[Sample]) -> PredictionRecord:
    return record_predictions(predictor(), samples, LABELS, keep_scores=True)


def compare(change: Change, samples: list[Sample], model: PredictionRecord) -> tuple[Agreement, PredictionRecord]:
    comparison = Comparison(model)
    record = record_predictions(predictor(change), samples, LABELS, observe=comparison.add)
    return comparison.agreement(), record


def test_the_model_agrees_with_itself(samples: list[Sample], model: PredictionRecord) -> None:
    agreement, _ = compare(lambda scores: scores, samples, model)
    assert agreement.gain == pytest.approx(1)
    assert agreement == replace(Agreement(6), gain=agreement.gain)


@pytest.mark.parametrize(("rows", "columns"), [(1, 0), (0, -1), (-1, 1)])
def test_an_offset_is_measured(samples: list[Sample], model: PredictionRecord, rows: int, columns: int) -> None:
    agreement, _ = compare(lambda scores: np.roll(scores, (rows, columns), (1, 2)), samples, model)
    assert agreement.offset == pytest.approx((rows, columns), abs=0.1)


def test_a_gain_is_measured(samples: list[Sample], model: PredictionRecord) -> None:
    agreement, _ = compare(lambda scores: scores * np.float32(0.7), samples, model)
    assert agreement.gain == pytest.approx(0.7)


def test_noise_is_neither_offset_nor_gain(samples: list[Sample], model: PredictionRecord) -> None:
    rng = np.random.default_rng(0)
    agreement, _ = compare(
        lambda scores: np.clip(scores + rng.normal(0, 0.1, scores.shape), 0, 1).astype(np.float32), samples, model
    )
    assert agreement.offset == pytest.approx((0, 0), abs=0.1)
    assert agreement.gain == pytest.approx(1, abs=0.05)
    assert 0.2 < agreement.max_score_difference <= 1


def test_changed_pixels_and_the_largest_difference_are_counted(samples: list[Sample], model: PredictionRecord) -> None:
    def turn_on_a_corner(scores: Scores) -> Scores:
        changed = scores.copy()
        changed[:, :2, :3] = 0.9
        return changed

    agreement, _ = compare(turn_on_a_corner, samples, model)
    assert agreement.changed == pytest.approx(6 / (SIZE[0] * SIZE[1]))
    assert agreement.max_score_difference == pytest.approx(0.9 - 40 / 255, abs=0.01)


def test_flat_scores_have_no_offset(samples: list[Sample]) -> None:
    flat = record_predictions(predictor(np.zeros_like), samples, LABELS, keep_scores=True)
    agreement, _ = compare(lambda scores: scores, samples, flat)
    assert agreement.offset == (0, 0)
    assert math.isnan(agreement.gain)


def test_scores_beyond_the_limit_are_kept_of_evenly_spread_images() -> None:
    kept = KeptScores(9, (2, 3, 1), limit=3 * 2 * 3 * 4 + 5)
    for index in range(9):
        kept.put(index, np.full((2, 3, 1), index, np.float32))
    assert len(kept) == 3
    assert [index for index in range(9) if kept.get(index) is not None] == [0, 4, 8]
    np.testing.assert_array_equal(kept.get(4), np.full((2, 3, 1), 4, np.float32))


def yardstick(samples: list[Sample], model: PredictionRecord) -> Yardstick:
    return Yardstick(samples, LABELS, model, model)


def row(**changes: object) -> ParityRow:
    zero = Interval(0.0, 0.0)
    classes = (ClassDrop("background", 0.9, 0.0, zero), ClassDrop("a|b", 0.8, 0.01, Interval(-0.001, 0.02)))
    facts = {
        "file": "model_float32.tflite", "format": "tflite", "quantization": "int8", "runtime": "onnxruntime",
        "bytes": 123_456_789, "iou": 0.8, "mean_iou": 0.85, "pixel_accuracy": 0.95, "calibration_error": 0.061,
        "reference_iou": 0.805, "iou_drop_interval": Interval(-0.0011, 0.0123), "classes": classes, "changed": 0.12345,
        "max_score_difference": 0.0123, "offset": (0.0, 0.0), "gain": 1.0, "compared_images": 10,
    }  # fmt: skip
    return ParityRow(**{**facts, **changes})


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, None),
        ({"iou": 0.7951}, None),
        (
            {"iou": 0.7949},
            "foreground IoU is too far below the model's; expected a drop of at most 0.0100; found 0.0",
        ),
        ({"iou": math.nan, "reference_iou": math.nan}, None),
        ({"iou": math.nan}, "the model predicts foreground, the artifact predicts none"),
        ({"iou": 0.0, "reference_iou": math.nan}, "the artifact predicts foreground, the model predicts none"),
        ({"offset": (0.2, 0.14)}, None),
        ({"offset": (-0.2, 0.2)}, "the scores are displaced .* found -0.20 rows, [+]0.20 columns"),
        ({"gain": 0.91}, None),
        ({"gain": 0.89}, "the scores are a multiple of the model's; expected a factor of 0.90 to 1.11; found 0.89"),
        ({"gain": 1.12}, "the scores are a multiple of the model's; .* found 1.12"),
        ({"gain": math.nan, "max_score_difference": math.nan}, None),
        ({"quantization": "none", "max_score_difference": 9e-5}, None),
        ({"quantization": "none", "max_score_difference": 2e-4}, "expected at most 0.0001; found 0.0002"),
        ({"quantization": "fp16", "max_score_difference": 2e-4}, None),
    ],
)
def test_the_limits_of_the_gate(changes: dict[str, object], reason: str | None) -> None:
    judged = Gate().judged(row(**changes))
    if reason is None:
        assert judged.passed
        assert judged.reasons == ()
    else:
        assert not judged.passed
        (text,) = judged.reasons
        assert re.search(reason, text)


@pytest.mark.parametrize(
    ("changes", "remedy"),
    [
        ({}, "use --quantize auto, more --calibration-images, a larger --max-iou-drop, or --force"),
        ({"quantization": "dynamic"}, "use --quantize auto, a larger --max-iou-drop, or --force"),
        ({"format": "onnx"}, "use --quantize none, more --calibration-images, a larger --max-iou-drop, or --force"),
        ({"quantization": "none"}, "use another --format or --quantize, or --force"),
        ({"format": "keras", "quantization": "none"}, "train it longer"),
    ],
)
def test_the_remedy_fits_the_artifact(changes: dict[str, object], remedy: str) -> None:
    assert f"; {remedy}" in Gate().judged(row(iou=0.5, **changes)).reasons[0]


def test_a_row_without_foreground_is_json_with_null() -> None:
    record = json.loads(json.dumps(row(iou=math.nan, reference_iou=math.nan).to_json(), allow_nan=False))
    assert (record["iou"], record["iou_drop"], record["passed"]) == (None, None, True)
    card = row(iou=math.nan).to_card(images=3, split="val")
    assert (card["iou"], card["images"], card["split"]) == (None, 3, "val")


def test_the_widest_table_fits_100_columns() -> None:
    from rich.console import Console

    console = Console(width=100)
    with console.capture() as capture:
        console.print(parity_table([row(), row(iou=0.1, reasons=("x",))], "test"))
    text = capture.get()
    assert max(map(len, text.splitlines())) <= 100
    assert "…" not in text.replace("-0.0011…+0.0123", ""), "nothing is cut"
    for cell in ("model_float32.tflite", "onnxruntime", "123", "0.8000", "+0.0050", "12.345 %", "1.2e-02", "FAIL"):
        assert cell in text


def test_markdown_has_the_drop_of_each_class() -> None:
    text = parity_markdown([row(), row()], images=20, split="val", notes=["it failed"])
    assert "over the 20 images of the val split" in text
    assert "Scores were compared on 10 evenly spread images." in text
    assert "| artifact | runtime | background | a\\|b |" in text
    assert "+0.0100 [-0.0010…+0.0200]" in text
    assert text.endswith("- it failed\n")


def test_the_worst_images_come_first_and_their_differences_are_coloured(
    samples: list[Sample], model: PredictionRecord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kseg.exporters.parity import pictures

    comparison = Comparison(model)
    record = record_predictions(
        predictor(lambda scores: np.where(scores > 0.5, scores - 0.2, scores).astype(np.float32)), samples, LABELS,
        observe=comparison.add,
    )  # fmt: skip
    measured = Measurement(row(), record, (0, 5, 9, 1, 2, 7))
    drawn = []
    draw = pictures._draw
    monkeypatch.setattr(pictures, "_draw", lambda path, rows, *rest: drawn.extend(rows) or draw(path, rows, *rest))
    draw_worst(tmp_path / "worst.png", yardstick(samples, model), measured)
    assert [row.label.split("    ")[0] for row in drawn] == ["spot 2", "spot 5", "spot 1", "spot 4", "spot 3"]
    differences = drawn[0].tiles(LABELS)[-1]
    lost = (drawn[0].model == 1) & (drawn[0].artifact == 0)
    assert lost.any()
    assert (differences[lost & (drawn[0].truth == 1)] == (213, 94, 0)).all(), "only the model is right"
    image = read_image(tmp_path / "worst.png")
    assert image.shape[1] > 1000
    assert image.shape[0] > 1000
    assert (image[:, -3:] == 255).all(), "nothing touches the edge"
    assert (image[:3] == 255).all()


def test_there_is_no_picture_where_nothing_differs(
    samples: list[Sample], model: PredictionRecord, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="no pixel differs"):
        draw_worst(tmp_path / "none.png", yardstick(samples, model), Measurement(row(), model, (0,) * 6))
