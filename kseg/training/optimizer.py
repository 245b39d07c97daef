"""The optimiser: AdamW, whose encoder may learn at another pace than the rest."""

from __future__ import annotations

import math
from typing import Any

import keras

from kseg.config import TrainConfig
from kseg.models.encoders.features import is_encoder

__all__ = ["FusedAdamW", "PacedAdamW", "make_optimizer"]

WARMUP_SHARE = 0.05
WARMUP_STEPS = 100
WARMUP_START = 10

ONE_CYCLE_RISE = 0.3
"""One-cycle (Smith & Topin 2018, https://arxiv.org/abs/1708.07120): the share of the steps in which the rate rises."""
ONE_CYCLE_START = 25
"""How many times lower than its highest it begins."""

# A decayed shift or scale only biases the output (Loshchilov & Hutter leave them out in their code too).
_UNDECAYED = ["bias", "gamma", "beta"]


class FusedAdamW(keras.optimizers.AdamW):
    """AdamW (Loshchilov & Hutter 2019, https://arxiv.org/abs/1711.05101), on TensorFlow one operation a variable.

    Keras' own step reads and writes a variable and its moments in a dozen operations; the numbers are the same. So are
    the arguments; with ``amsgrad``, which the operation lacks, the step is Keras' own.
    """

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update one variable."""
        if self.amsgrad or keras.backend.backend() != "tensorflow":
            super().update_step(gradient, variable, learning_rate)
            return
        import tensorflow as tf

        index = self._get_variable_index(variable)
        step = tf.cast(self.iterations.value + 1, tf.float32)
        tf.raw_ops.ResourceApplyAdam(
            var=_held(variable).handle,
            m=_held(self._momentums[index]).handle,
            v=_held(self._velocities[index]).handle,
            beta1_power=self.beta_1**step,
            beta2_power=self.beta_2**step,
            lr=tf.cast(learning_rate, tf.float32),
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=gradient,
        )


class PacedAdamW(FusedAdamW):
    """The same with a slower pace for some variables.

    Args:
        learning_rate: As Keras takes it.
        weight_decay: As Keras takes it; it is multiplied by the learning rate, so the pace slows it as well.
        slow: The variables.
        pace: What their learning rate is multiplied by.
    """

    def __init__(self, learning_rate: Any, *, weight_decay: float, slow: list[Any], pace: float) -> None:
        super().__init__(learning_rate, weight_decay=weight_decay)
        self._pace = pace
        self._rate = weight_decay
        self._slow = _identities(slow)
        # Keras decays all variables at one pace, so those that are slow are decayed here.
        self._decayed = _identities([v for v in slow if not any(name in v.name for name in _UNDECAYED)])
        self.exclude_from_weight_decay(var_list=slow, var_names=_UNDECAYED)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update one variable."""
        if id(variable) not in self._slow:
            super().update_step(gradient, variable, learning_rate)
            return
        paced = learning_rate * self._pace
        if id(variable) in self._decayed and self._rate:
            self.assign_sub(variable, keras.ops.cast(paced * self._rate, variable.dtype) * variable)
        super().update_step(gradient, variable, paced)


def _held(variable: Any) -> Any:
    # On TensorFlow the optimiser is given what Keras' variables hold, or those themselves.
    return variable.value if isinstance(variable, keras.Variable) else variable


def _identities(variables: list[Any]) -> set[int]:
    return {id(one) for variable in variables for one in (variable, _held(variable))}


def make_optimizer(train: TrainConfig, model: keras.Model, steps: int) -> keras.optimizers.Optimizer:
    """The optimiser of a training.

    Args:
        train: The settings.
        model: What is trained.
        steps: Steps an epoch.
    """
    rate = _schedule(train, steps)
    if train.encoder_lr == 1.0:
        optimizer = FusedAdamW(rate, weight_decay=train.weight_decay)
        optimizer.exclude_from_weight_decay(var_names=_UNDECAYED)
        return optimizer
    slow = [weight for layer in model.layers if is_encoder(layer) for weight in layer.trainable_weights]
    return PacedAdamW(rate, weight_decay=train.weight_decay, slow=slow, pace=train.encoder_lr)


def _schedule(train: TrainConfig, steps: int) -> Any:
    if train.schedule == "constant":
        return train.lr
    total = train.epochs * steps
    if train.schedule == "one_cycle":
        warmup, start = max(1, round(ONE_CYCLE_RISE * total)), ONE_CYCLE_START
    else:
        warmup, start = min(WARMUP_STEPS, math.ceil(WARMUP_SHARE * total)), WARMUP_START
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=train.lr / start,
        decay_steps=max(total - warmup, 1),
        warmup_target=train.lr,
        warmup_steps=warmup,
    )
