"""The optimiser: AdamW and its learning-rate schedule; the encoder may have a lower learning rate than the rest."""

from __future__ import annotations

import math
from typing import Any

import keras

from kseg.config import TrainConfig
from kseg.models.encoders.features import is_encoder

__all__ = ["FusedAdamW", "ScaledRateAdamW", "make_optimizer"]

WARMUP_SHARE = 0.05
"""Linear warm-up: the share of all steps, but at most `WARMUP_STEPS`, in which the learning rate rises."""
WARMUP_STEPS = 100
WARMUP_START = 10
"""The learning rate begins at 1 / `WARMUP_START` of its peak."""

ONE_CYCLE_RISE = 0.3
"""One-cycle (Smith & Topin 2018, https://arxiv.org/abs/1708.07120): the share of the steps in which the rate rises."""
ONE_CYCLE_START = 25
"""The learning rate begins at 1 / `ONE_CYCLE_START` of its peak."""

# Weight decay of a shift or scale only biases the output (Loshchilov & Hutter exclude them in their code, too).
_UNDECAYED = ["bias", "gamma", "beta"]


class FusedAdamW(keras.optimizers.AdamW):
    """AdamW (Loshchilov & Hutter 2019, https://arxiv.org/abs/1711.05101) with one fused operation a variable.

    Keras' own step reads and writes a variable and its moments in a dozen operations; the results are the same, and so
    are the arguments. On other backends than TensorFlow, and with ``amsgrad``, the step is Keras' own.
    """

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Apply the gradient to a variable and its moments (weight decay excepted, which Keras applies before)."""
        if self.amsgrad or keras.backend.backend() != "tensorflow":
            super().update_step(gradient, variable, learning_rate)
            return
        import tensorflow as tf

        index = self._get_variable_index(variable)
        step = tf.cast(self.iterations.value + 1, tf.float32)
        tf.raw_ops.ResourceApplyAdam(
            var=_backend_variable(variable).handle,
            m=_backend_variable(self._momentums[index]).handle,
            v=_backend_variable(self._velocities[index]).handle,
            beta1_power=self.beta_1**step,
            beta2_power=self.beta_2**step,
            lr=tf.cast(learning_rate, tf.float32),
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=gradient,
        )


class ScaledRateAdamW(FusedAdamW):
    """`FusedAdamW` with a scaled learning rate for some of the variables.

    Args:
        learning_rate: A number or a Keras schedule.
        weight_decay: As in Keras' AdamW: multiplied by the learning rate, for scaled variables by the scaled one.
        scaled: The variables whose learning rate is scaled.
        scale: The factor of their learning rate.
    """

    def __init__(self, learning_rate: Any, *, weight_decay: float, scaled: list[Any], scale: float) -> None:
        super().__init__(learning_rate, weight_decay=weight_decay)
        self._scale = scale
        self._decay = weight_decay
        self._scaled = _identities(scaled)
        # Keras decays all variables by the unscaled rate, so the scaled variables are decayed in `update_step`.
        self._decayed = _identities([v for v in scaled if not any(name in v.name for name in _UNDECAYED)])
        self.exclude_from_weight_decay(var_list=scaled, var_names=_UNDECAYED)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Apply the gradient to a variable and its moments, by the scaled rate if it is one of ``scaled``."""
        if id(variable) not in self._scaled:
            super().update_step(gradient, variable, learning_rate)
            return
        rate = learning_rate * self._scale
        if id(variable) in self._decayed and self._decay:
            self.assign_sub(variable, keras.ops.cast(rate * self._decay, variable.dtype) * variable)
        super().update_step(gradient, variable, rate)


def _backend_variable(variable: Any) -> Any:
    """The TensorFlow variable of a Keras one: TensorFlow's trainer passes the former to ``update_step``."""
    return variable.value if isinstance(variable, keras.Variable) else variable


def _identities(variables: list[Any]) -> set[int]:
    """The ``id`` of each Keras variable and of its backend variable."""
    return {id(v) for variable in variables for v in (variable, _backend_variable(variable))}


def make_optimizer(train: TrainConfig, model: keras.Model, steps: int) -> keras.optimizers.Optimizer:
    """The optimiser of a training, with its learning-rate schedule.

    Args:
        train: The settings of the training.
        model: The network; its encoder learns at ``train.encoder_lr`` times the rate.
        steps: The number of steps in an epoch.
    """
    rate = _schedule(train, steps)
    if train.encoder_lr == 1.0:
        optimizer = FusedAdamW(rate, weight_decay=train.weight_decay)
        optimizer.exclude_from_weight_decay(var_names=_UNDECAYED)
        return optimizer
    encoder = [weight for layer in model.layers if is_encoder(layer) for weight in layer.trainable_weights]
    return ScaledRateAdamW(rate, weight_decay=train.weight_decay, scaled=encoder, scale=train.encoder_lr)


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
