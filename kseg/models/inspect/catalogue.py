"""The catalogue of networks: every encoder in a U-Net, every other architecture around one encoder, with their cost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from kseg.models.specs import NetworkSpec
from kseg.models.tables import ARCHITECTURES, ENCODERS
from kseg.models.weights.source import is_installed
from kseg.sizes import Size

if TYPE_CHECKING:
    import keras

__all__ = ["COMPARED", "Entry", "built", "networks"]

COMPARED: Final = "mobilenetv2"
"""The encoder that the architectures are compared with."""


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
        """Measure a network that has been built. Raises ArtifactError, see `kseg.models.inspect.macs`."""
        from kseg.models.inspect.macs import total_macs

        return cls(spec, int(model.count_params()), total_macs(model))

    def to_json(self) -> dict[str, Any]:
        """The network, its cost and the encoder's weights as plain JSON types."""
        encoder = ENCODERS[self.spec.encoder]
        return {
            "arch": self.spec.arch,
            "encoder": self.spec.encoder,
            "stride": self.spec.stride,
            "parameters": self.parameters,
            "macs": self.macs,
            "weights": ["imagenet"] if encoder.imagenet else list(encoder.presets),
            "extra": encoder.extra,
            "installed": is_installed(self.spec.encoder),
            "paper": encoder.paper,
        }


def networks(size: Size, encoders: Sequence[str] = ()) -> list[NetworkSpec]:
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


@contextmanager
def built(spec: NetworkSpec) -> Iterator[keras.Model]:
    """The network with random weights, whose memory is freed when the block ends."""
    import keras

    from kseg.models.build import build_model

    try:
        yield build_model(spec)
    finally:
        # Keras would hold all networks of a long list.
        keras.backend.clear_session()
