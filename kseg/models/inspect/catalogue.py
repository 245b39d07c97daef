"""What there is to choose from: every encoder in a U-Net, every architecture around one encoder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from kseg.models.specs import NetworkSpec
from kseg.models.tables import ARCHITECTURES, ENCODERS

if TYPE_CHECKING:
    import keras

__all__ = ["COMPARED", "Entry", "built", "installed", "networks"]

COMPARED: Final = "mobilenetv2"
"""The encoder that the architectures are compared with."""

_MODULES: Final = {"hub": "keras_hub"}
"""Extra of kseg → the module that it brings."""


@dataclass(frozen=True)
class Entry:
    """A network and its cost; None where it cannot be built, because an extra is missing.

    Args:
        spec: The network.
        parameters: All weights, moving statistics included.
        macs: Multiply-accumulates for one image.
    """

    spec: NetworkSpec
    parameters: int | None = None
    macs: int | None = None

    @classmethod
    def of(cls, spec: NetworkSpec, model: keras.Model) -> Entry:
        """Count. Raises ArtifactError, see `kseg.models.inspect.macs`."""
        from kseg.models.inspect.macs import total_macs

        return cls(spec, int(model.count_params()), total_macs(model))

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        encoder = ENCODERS[self.spec.encoder]
        return {
            "arch": self.spec.arch,
            "encoder": self.spec.encoder,
            "stride": self.spec.stride,
            "parameters": self.parameters,
            "macs": self.macs,
            "weights": ["imagenet"] if encoder.imagenet else list(encoder.presets),
            "extra": encoder.extra,
            "installed": installed(self.spec.encoder),
            "paper": encoder.paper,
        }


def networks(size: tuple[int, int], encoders: Sequence[str] = ()) -> list[NetworkSpec]:
    """Each encoder in a U-Net; and, with `COMPARED`, each other architecture; one score channel.

    Args:
        size: Height and width of the images.
        encoders: Names of `ENCODERS`; all where there are none.

    Raises:
        UnknownNameError: No such encoder.
        UsageError: The size does not divide by an encoder's stride.
    """
    specs = [NetworkSpec(size=size, channels=1, encoder=name) for name in dict.fromkeys(encoders or ENCODERS)]
    if any(spec.encoder == COMPARED for spec in specs):
        others = [arch for arch in ARCHITECTURES if arch != "unet"]
        specs += [NetworkSpec(size=size, channels=1, encoder=COMPARED, arch=arch) for arch in others]
    return specs


def installed(encoder: str) -> bool:
    """Whether the extra that brings an encoder's graph is there; nothing is imported for the answer."""
    extra = ENCODERS[encoder].extra
    return extra is None or find_spec(_MODULES[extra]) is not None


@contextmanager
def built(spec: NetworkSpec) -> Iterator[keras.Model]:
    """The network with random weights, whose memory is given back at the end."""
    import keras

    from kseg.models.build import build_model

    try:
        yield build_model(spec)
    finally:
        # Many large networks come one after the other, and Keras would hold them all.
        keras.backend.clear_session()
