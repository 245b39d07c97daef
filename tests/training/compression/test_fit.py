"""Fine-tuning of a trained run: what is saved, what its card says, and every mistake in one line."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest

import kseg
from kseg.card import read_card
from kseg.config import TrainConfig, load_config
from kseg.errors import ConfigError, Interrupted, TrainingError, UsageError
from kseg.models import load_model
from kseg.training import Reporter, Run, resume
from kseg.training.compress import check_compression
from kseg.training.process import error_message, fit_in_process
from kseg.training.trained import describe_method
from tests.training.conftest import Listener, config_for

needs_extra = pytest.mark.skipif(find_spec("tensorflow_model_optimization") is None, reason="needs kseg[qat]")
pytestmark = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="exports need TensorFlow")


def tuned(start: Run, **settings: Any) -> Run:
    return kseg.fit(from_run=start, reporter=Reporter(), **{"epochs": 2, **settings})


def kernels(run: Run) -> dict[str, np.ndarray]:
    network, _ = load_model(run.folder / "weights" / "best.keras")
    return {layer.name: layer.get_weights()[0] for layer in network.layers if layer.weights}


@pytest.fixture(scope="module")
def quantized(trained: tuple[Run, Listener]) -> Run:
    return tuned(trained[0], compress="qat")


def test_qat_leaves_the_plain_network_and_says_so_in_its_card(trained, quantized) -> None:
    assert quantized.folder.name == "first-qat"
    start, _ = load_model(trained[0].folder / "weights" / "best.keras")
    network, card = load_model(quantized.folder / "weights" / "best.keras")
    assert [type(layer) for layer in network.layers] == [type(layer) for layer in start.layers]
    facts = card.provenance["compression"]
    assert facts["method"] == "qat"
    assert facts["start"] == "first/weights/best.keras"
    assert facts["epochs"] == 2
    assert len(facts["start_sha256"]) == 64
    assert quantized.best["val_iou"] > 0.5
    assert any(np.abs(kernel - kernels(trained[0])[name]).max() > 1e-4 for name, kernel in kernels(quantized).items())


def test_qat_is_exported_as_int8_beside_the_network_it_comes_from(trained, quantized, tmp_path) -> None:
    report = kseg.export(
        quantized, formats="tflite", quantize="qat", reference=trained[0], out=tmp_path / "out", max_iou_drop=1.0
    )
    assert [path.name for path in report.written] == ["model_qat.tflite"]
    assert read_card(report.written[0]).provenance["compression"]["method"] == "qat"


def test_a_float_run_has_no_qat_file_and_the_message_says_how_to_get_one(trained, tmp_path) -> None:
    with pytest.raises(UsageError) as caught:
        kseg.export(trained[0], formats="tflite", quantize="qat", out=tmp_path / "out")
    assert str(caught.value) == (
        "--quantize qat: the network was not trained for int8; expected a run of kseg fit --qat; found first; "
        f"first kseg fit --qat --from {trained[0].folder}"
    )
    assert not (tmp_path / "out").exists()


@needs_extra
def test_pruning_reaches_its_share_in_the_saved_network(trained) -> None:
    run = tuned(trained[0], compress="prune", sparsity=0.25)
    assert run.folder.name == "first-prune"
    for kernel in kernels(run).values():
        if kernel.ndim == 4:
            assert (kernel == 0).mean() == pytest.approx(0.25, abs=0.01 + 1 / kernel.size)
    facts = read_card(run.folder / "weights" / "best.keras").provenance["compression"]
    assert facts["sparsity"] == pytest.approx(0.25, abs=0.01)
    assert facts["not_pruned"] == []
    with pytest.raises(UsageError) as caught:
        resume(run.folder)
    assert str(caught.value) == (
        f"{run.folder}: a run of --prune cannot be resumed; begin anew: kseg fit {run.folder / 'args.yaml'}"
    )


@needs_extra
def test_clustered_layers_have_few_values_in_the_saved_network(trained) -> None:
    run = tuned(trained[0], compress="cluster", clusters=6, epochs=1)
    counts = [len(np.unique(kernel)) for kernel in kernels(run).values() if kernel.ndim == 4]
    assert max(counts) <= 6
    assert max(counts) > 2
    facts = read_card(run.folder / "weights" / "best.keras").provenance["compression"]
    assert facts["values_in_a_layer"] == max(counts)
    assert run.best["val_iou"] > 0.3


@needs_extra
def test_an_error_in_the_process_of_a_pruning_arrives_here(trained, discs, tmp_path) -> None:
    start = str(trained[0].folder)
    settings = {"train__compress": "prune", "model__start": start, "model__widths": [4, 4]}
    listener = Listener()
    with pytest.raises(kseg.errors.ArtifactError, match="the weights are not this network"):
        fit_in_process(config_for(discs, tmp_path, **settings), listener)
    assert listener.heard == ["finished"]
    assert not (tmp_path / "fit").exists()


def test_errors_keep_their_parts_on_the_way_between_processes() -> None:
    from kseg.training.process import _error

    for error in (TrainingError("a", where="b", found="c"), Interrupted("stopped", remedy="go on", number=15)):
        copy = _error(error_message(error)["error"])
        assert (type(copy), str(copy), copy.exit_code) == (type(error), str(error), error.exit_code)


def test_only_a_run_is_fine_tuned(tmp_path, trained) -> None:
    with pytest.raises(UsageError) as caught:
        kseg.fit(from_run=tmp_path, compress="qat")
    expected = "expected a folder that kseg fit made, as runs/fit/NAME"
    assert str(caught.value) == f"--from: no trained run; {expected}; found {tmp_path}: no args.yaml in it"
    with pytest.raises(UsageError, match="no such folder"):
        kseg.fit(from_run=tmp_path / "absent", compress="qat")
    with pytest.raises(UsageError) as caught:
        kseg.fit(from_run=trained[0])
    assert str(caught.value).startswith("--from: it does not say how to fine-tune the run; expected --qat, --prune")
    with pytest.raises(UsageError, match=r"--from: a fine-tuning has the settings of the run .* also mine\.yaml"):
        kseg.fit("mine.yaml", from_run=trained[0], compress="qat")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"imgsz": 64}, "train.imgsz: compressing keeps the network as it is"),
        ({"data.classes": ["background", "coin"], "data.values": {0: "background", 255: "coin"}},
         "data.classes: compressing keeps the network as it is"),
        ({"deep_supervision": True},
         "train.deep_supervision: it does not go with train.compress: qat; expected false; found true; leave it out"),
        ({"precision": "mixed_bfloat16"}, "train.precision: it does not go with train.compress: qat; expected float32"),
    ],
)  # fmt: skip
def test_what_would_change_the_network_is_refused(trained, settings, message) -> None:
    with pytest.raises(ConfigError) as caught:
        tuned(trained[0], compress="qat", **settings)
    assert str(caught.value).startswith(message)


def test_an_average_of_weights_is_neither_sparse_nor_shared(trained) -> None:
    with pytest.raises(ConfigError, match=r"train\.average: it does not go with train\.compress: prune; expected 1"):
        tuned(trained[0], compress="prune", average=3)


@pytest.mark.parametrize(
    ("key", "value", "expected"), [("sparsity", 1.0, "< 1"), ("sparsity", 0.0, "> 0"), ("clusters", 1, ">= 2|2")]
)
def test_shares_and_numbers_have_bounds(trained, key, value, expected) -> None:
    with pytest.raises(ConfigError, match=rf"train\.{key}.*{expected}"):
        tuned(trained[0], compress="prune", **{key: value})


def test_compression_needs_a_start_and_its_extra(discs, tmp_path, monkeypatch) -> None:
    config = config_for(discs, tmp_path, train__compress="prune")
    with pytest.raises(ConfigError) as caught:
        check_compression(config.model, config.train, begins=True)
    assert str(caught.value) == (
        "train.compress: only a trained network can be fine-tuned; expected model.start beside it; found prune; "
        "use kseg fit --prune 0.5 --from runs/fit/NAME"
    )
    monkeypatch.setattr("kseg.training.compress.find_spec", lambda _: None)
    with pytest.raises(UsageError) as caught:
        check_compression(config.model, config.train, begins=False)
    assert str(caught.value) == (
        "train.compress: tensorflow-model-optimization and tf_keras are not installed; pip install 'kseg[qat]'"
    )


def test_what_becomes_of_the_layers_is_said_before_the_first_epoch() -> None:
    train = TrainConfig(compress="prune", sparsity=0.25)
    twin = SimpleNamespace(skipped=("stem_depthwise", "block_depthwise"))
    network = SimpleNamespace(method=SimpleNamespace(twin=twin))
    text = "25% of the weights become zero, but not in stem_depthwise, block_depthwise"
    assert describe_method(network, train) == {"compress": text}


def test_the_settings_of_a_fine_tuning_are_those_of_its_run(quantized) -> None:
    train = load_config(quantized.folder / "args.yaml").train
    assert (train.compress, train.epochs, train.batch, train.patience) == ("qat", 2, 4, 0)
    assert train.lr == pytest.approx(1e-3)
    assert load_config(quantized.folder / "args.yaml").model.start == Path(str(quantized.folder).removesuffix("-qat"))
