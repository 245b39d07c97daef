"""The gate catches an artifact that is broken, in every format, as a conversion may break it."""

from __future__ import annotations

from pathlib import Path

import pytest

from kseg.data.dataset import Dataset
from kseg.exporters import Exporter
from kseg.exporters.calibration import calibration_images
from kseg.exporters.conversion import Conversion
from kseg.exporters.parity.gate import Gate
from kseg.exporters.parity.measure import Measured, Yardstick
from kseg.exporters.parity.row import ParityRow
from kseg.inference import own_runtime
from kseg.models import load_model
from tests.exporters.broken import BREAKS, SIZE, Break, broken, exporters, train

EXPORTERS = {exporter.file: exporter for exporter in exporters()}
QUANTIZED = [file for file, exporter in EXPORTERS.items() if exporter.quantization != "none"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Dataset]:
    return train(tmp_path_factory.mktemp("coloured"))


@pytest.fixture(scope="module")
def conversion(trained: tuple[Path, Dataset]) -> Conversion:
    return Conversion(*load_model(trained[0]), calibration_images(trained[1], 8, SIZE))


@pytest.fixture(scope="module")
def yardstick(trained: tuple[Path, Dataset]) -> Yardstick:
    model, dataset = trained
    yardstick = Yardstick.make(model, dataset.samples("test"), dataset.labels)
    assert yardstick.model.scores.iou > 0.9, "the network did not learn: nothing would be compared"
    return yardstick


def measure(exporter: Exporter, conversion: Conversion, yardstick: Yardstick, folder: Path) -> ParityRow:
    path = folder / exporter.file
    exporter.write(conversion, path)
    artifact = Measured(path, exporter.file, exporter.format, exporter.quantization, own_runtime(path))
    return yardstick.measure(artifact).row


def test_every_format_is_broken_here() -> None:
    assert {exporter.format for exporter in exporters()} == {"keras", "saved_model", "tflite", "onnx", "openvino"}
    assert {"model_int8.tflite", "model_int8.onnx", "openvino_int8"} <= set(QUANTIZED)


@pytest.mark.parametrize("file", EXPORTERS)
def test_what_is_intact_passes(file: str, conversion: Conversion, yardstick: Yardstick, tmp_path: Path) -> None:
    row = measure(EXPORTERS[file], conversion, yardstick, tmp_path)
    assert row.reasons == ()
    assert row.gain == pytest.approx(1, abs=0.02)
    assert row.offset == pytest.approx((0, 0), abs=0.05)


@pytest.mark.parametrize("breaks", BREAKS.values(), ids=BREAKS)
@pytest.mark.parametrize("file", EXPORTERS)
def test_what_is_broken_does_not_pass(
    file: str, breaks: Break, conversion: Conversion, yardstick: Yardstick, tmp_path: Path
) -> None:
    row = measure(broken(EXPORTERS[file], breaks), conversion, yardstick, tmp_path)
    assert not row.passed
    text = "; ".join(row.reasons)
    if row.quantization == "none":
        assert "the scores of a float32 file differ from the model's; expected at most 0.0001" in text
    if breaks.__name__ in ("swapped_channels", "no_normalisation"):
        assert row.reasons[0].startswith("foreground IoU is too far below the model's; expected a drop of at most 0.01")
    if breaks.__name__ == "shifted_pixel":
        assert row.offset == pytest.approx((1, 0), abs=0.1)
        assert "the scores are displaced from the model's; expected at most 0.25 pixels; found +" in text
    if breaks.__name__ == "halved_scale":
        assert row.iou_drop < 0.01, "the classes are as they were: IoU does not tell"
        assert row.gain == pytest.approx(0.5, abs=0.02)
        assert "the scores are a multiple of the model's; expected a factor of 0.90 to 1.11; found 0.50" in text


def test_a_shift_is_caught_where_the_iou_would_allow_it(
    conversion: Conversion, yardstick: Yardstick, tmp_path: Path
) -> None:
    """As on objects so large that a pixel is less than a hundredth of them."""
    generous = Yardstick(
        yardstick.samples, yardstick.labels, yardstick.model, yardstick.reference, Gate(max_iou_drop=0.5)
    )  # fmt: skip
    row = measure(broken(EXPORTERS["model_int8.tflite"], BREAKS["shifted_pixel"]), conversion, generous, tmp_path)
    (reason,) = row.reasons
    assert reason == (
        f"the scores are displaced from the model's; expected at most 0.25 pixels; found {row.offset[0]:+.2f} rows, "
        f"{row.offset[1]:+.2f} columns; use another --format or --quantize, or --force to keep it marked as failed"
    )
