"""The error of a card that does not fit the network in its file."""

from __future__ import annotations

from pathlib import Path

from kseg.errors import ArtifactError

__all__ = ["CardContradiction"]


class CardContradiction(ArtifactError):
    """The network takes or returns something else than its card says.

    Args:
        path: The model.
        expected: The input and the output by the card, as ``[1, 96, 128, 3] → [1, 96, 128, 1]``.
        found: Those of the network.
    """

    def __init__(self, path: Path | str, *, expected: str, found: str) -> None:
        super().__init__("the network contradicts its card", where=str(path), expected=expected, found=found)
