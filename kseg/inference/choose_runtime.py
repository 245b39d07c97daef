"""``--runtime auto``: the runtime that predicts soonest with this model on this machine, of those that agree.

What is measured is remembered (`kseg.inference.choice_cache`), and measured again after a change of the model, the
machine, a library's version or the number of threads.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from kseg.card import ModelCard
from kseg.inference.choice_cache import Measurement, Measurements, circumstances, recall, remember
from kseg.inference.runtime_table import CPU_ONLY, RuntimeName, installed_runtimes, own_runtime
from kseg.inference.saturation import is_affected, quantization_of
from kseg.inference.trials import NOT_READY, Trial, try_runtimes
from kseg.tensorflow_runtime import DeviceName

__all__ = ["choose_runtime"]

_log = logging.getLogger("kseg")

_SECONDS: Final = 1.0
"""The time of the measurement, all runtimes together."""

_ATTEMPTS: Final = 3
"""Measurements a day in which a runtime may be not ready in time; then the others are chosen from."""

_GAIN: Final = 0.9
"""Another runtime than the file's own must take at most this share of its time: less is noise of the measurement."""

_FLOATS: Final = frozenset({"none", "fp16"})
"""Quantisations whose files are computed in floats."""

_FLOAT_TOLERANCE: Final = 1e-3
"""Largest score difference of a float file. Runtimes that compute in float32 differ by up to 2e-5 on six trained
networks and photographs, one that computes in bfloat16 by 7e-3 to 0.1."""

_CHANGED_TOLERANCE: Final = 0.01
_MEAN_TOLERANCE: Final = 2 / 255
"""Share of pixels whose class differs, and mean score difference, of a quantised file on the probe images. Runtimes
round its sums differently: up to 0.5 % and 0.9 / 255 on six trained int8 networks, about what int8 itself differs by
from float32. A runtime that reads the file wrongly (a scale, the order of channels) or saturates is far above."""


def choose_runtime(
    model: Path,
    card: ModelCard,
    *,
    device: DeviceName = "auto",
    threads: int | None = None,
    pictures: int | None = None,
) -> RuntimeName:
    """The runtime that takes the least time for a model on this machine.

    It takes a second at most where nothing is remembered, and imports no runtime into this process.

    Args:
        model: The file or folder, as `resolve_model` returns it.
        card: Its card. A runtime whose parity it marks as failed is never taken; one that it does not know must agree
            with the file's own on two images.
        device: With ``gpu``, only runtimes that use one.
        threads: The number of CPU threads.
        pictures: The number of pictures to predict, where it is known: for few, the time to load counts more than the
            latency. None counts the latency only.

    Returns:
        The file's own runtime where no other is faster and agrees with it.
    """
    candidates = _candidates(model, card, device)
    if len(candidates) == 1:
        return candidates[0]
    measurements = _measurements(model, card, candidates, threads)
    chosen = _soonest(measurements.runtimes, candidates[0], pictures)
    reasons = ", ".join(f"{name} {_describe(measurement)}" for name, measurement in measurements.runtimes.items())
    _log.info("runtime: %s (%s)", chosen, reasons)
    return chosen


def _candidates(model: Path, card: ModelCard, device: DeviceName) -> tuple[RuntimeName, ...]:
    """The installed runtimes that may be taken, the file's own first; this alone where none may."""
    runtimes = [runtime for runtime in installed_runtimes(model) if device != "gpu" or runtime not in CPU_ONLY]
    passed = [runtime for runtime in runtimes if _parity(card, runtime) is not False]
    exact = [runtime for runtime in passed if not is_affected(runtime, card)]
    return tuple(exact or passed or runtimes[:1]) or (own_runtime(model),)


def _parity(card: ModelCard, runtime: RuntimeName) -> bool | None:
    """Whether the file passed the export's gate with this runtime; None where the card does not say."""
    entry: Any = card.provenance
    for key in ("export", "parity", runtime):
        entry = entry.get(key) if isinstance(entry, Mapping) else None
    passed = entry.get("passed") if isinstance(entry, Mapping) else None
    return passed if isinstance(passed, bool) else None


def _measurements(
    model: Path, card: ModelCard, candidates: tuple[RuntimeName, ...], threads: int | None
) -> Measurements:
    key = circumstances(model, candidates, threads)
    earlier, today = recall(key), date.today().isoformat()
    attempts = earlier.attempts if earlier is not None and earlier.day == today else 0
    if earlier is not None and (_is_complete(earlier) or attempts >= _ATTEMPTS):
        return earlier
    trials = try_runtimes(model, card, candidates, threads=threads, seconds=_SECONDS)
    reference = trials[candidates[0]]
    measurements = Measurements(
        {runtime: _judge(runtime, trial, reference, card) for runtime, trial in trials.items()},
        today,
        attempts + 1,
    )
    remember(key, measurements)
    return measurements


def _is_complete(measurements: Measurements) -> bool:
    return all(measurement.failure != NOT_READY for measurement in measurements.runtimes.values())


def _judge(runtime: RuntimeName, trial: Trial, reference: Trial, card: ModelCard) -> Measurement:
    failure = trial.failure
    # The gate compared real images; on the extreme colours of the probe images, runtimes that clip what exceeds the
    # calibrated range (LiteRT, 16-bit activations) differ from those that do not, by 2 % of the classes.
    if failure is None and trial is not reference and not _parity(card, runtime):
        if reference.failure is not None:
            failure = f"cannot be compared: {reference.failure}" if reference.failure != NOT_READY else NOT_READY
        else:
            failure = _disagreement(trial.scores, reference.scores, card)
    return Measurement(failure, trial.load_s, trial.latency_ms)


def _disagreement(scores: npt.NDArray[np.float32], reference: npt.NDArray[np.float32], card: ModelCard) -> str | None:
    """How the scores of the probe images differ from those of the file's own runtime; None if they agree."""
    if scores.shape != reference.shape or not np.isfinite(scores).all():
        return "its scores are no scores"
    difference = np.abs(scores - reference)
    if quantization_of(card) in _FLOATS:
        largest = float(difference.max())
        return None if largest <= _FLOAT_TOLERANCE else f"its scores differ by up to {largest:.2g}"
    changed = float((card.class_ids(scores) != card.class_ids(reference)).mean())
    if changed <= _CHANGED_TOLERANCE and float(difference.mean()) <= _MEAN_TOLERANCE:
        return None
    return f"its scores differ by {difference.mean():.2g} on average, the class of {changed:.1%} of the pixels"


def _soonest(measurements: Mapping[RuntimeName, Measurement], own: RuntimeName, pictures: int | None) -> RuntimeName:
    times = {name: _seconds(m, pictures) for name, m in measurements.items() if m.failure is None}
    if own not in times:
        return own
    best = min(times, key=lambda name: times[name])
    return best if times[best] <= _GAIN * times[own] else own


def _seconds(measurement: Measurement, pictures: int | None) -> float:
    latency = measurement.latency_ms / 1000
    return latency if pictures is None else measurement.load_s + pictures * latency


def _describe(measurement: Measurement) -> str:
    return measurement.failure or f"{measurement.latency_ms:.1f} ms an image"
