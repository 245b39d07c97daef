"""The losses and their gradients on JAX, for test_jax.py: run by a Python that has Keras and JAX.

KERAS_BACKEND=jax python jax_side.py batch.npz out.npz
"""

from __future__ import annotations

import sys

import jax
import keras
import numpy as np

from kseg.losses.loss import FUNCTIONS


def main(source: str, target: str) -> None:
    assert keras.backend.backend() == "jax"
    arrays = np.load(source)
    found = {}
    for key in (key for key in arrays if key.startswith("ids ")):
        case = key.removeprefix("ids ")
        for name, function in FUNCTIONS.items():
            options = {"activation": case.split()[1], "class_weights": arrays[f"weights {case}"].tolist()}

            def loss(logits: jax.Array, ids=arrays[key], function=function, options=options) -> jax.Array:
                return function(ids, logits, **options)

            value, slope = jax.jit(jax.value_and_grad(loss))(arrays[f"logits {case}"])
            found |= {f"{name} {case} value": value, f"{name} {case} gradient": slope}
    np.savez(target, **found)


if __name__ == "__main__":
    main(*sys.argv[1:])
