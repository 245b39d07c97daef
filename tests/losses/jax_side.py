"""The losses, their gradients and trainings with them on JAX, for test_jax.py: run by a Python that has Keras and JAX.

KERAS_BACKEND=jax python jax_side.py batch.npz out.npz
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import jax
import keras
import numpy as np

from kseg.losses.batch import BatchOptions, prepare
from kseg.losses.functions import FUNCTIONS
from tests.losses.keras_cases import TRAININGS, make, other_arguments, train_and_load


def main(source: str, target: str) -> None:
    assert keras.backend.backend() == "jax"
    arrays = np.load(source)
    results = {}
    for key in (key for key in arrays if key.startswith("ids ")):
        case = key.removeprefix("ids ")
        for name, function in FUNCTIONS.items():
            options = BatchOptions(arrays[f"weights {case}"].tolist(), from_logits=True, activation=case.split()[1])

            def loss(logits: jax.Array, ids=arrays[key], function=function, options=options) -> jax.Array:
                return function(prepare(ids, logits, options))

            value, slope = jax.jit(jax.value_and_grad(loss))(arrays[f"logits {case}"])
            results |= {f"{name} {case} value": value, f"{name} {case} gradient": slope}
    with tempfile.TemporaryDirectory() as folder:
        for kind, channels, activation in TRAININGS:
            case = f"{channels} {'softmax' if channels == 1 else activation}"
            loss = make(kind, activation, class_weights=arrays[f"weights {case}"].tolist(), **other_arguments(kind))
            training = train_and_load(
                loss, activation, arrays[f"ids {case}"], arrays[f"logits {case}"], Path(folder) / "model.keras"
            )
            results |= {f"{kind} {channels} {activation} {key}": value for key, value in training.items()}
    np.savez(target, **results)


if __name__ == "__main__":
    main(*sys.argv[1:])
