"""Pictures that look the same: found by a perceptual hash, confirmed by comparing small grey versions of them.

Copies that were scaled, compressed, or made a little brighter or more contrasty are found. Pictures that are merely
alike are not, as frames of a video in which something moved: a copy differs from its original a little wherever the
original has edges, another picture differs much in some place. Crops, turned and mirrored copies are not found.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

__all__ = ["Fingerprint", "fingerprint", "groups"]

Greys = npt.NDArray[np.float64]
"""Grey pictures ``[M, 32, 32]`` in -1..1."""

SIDE: Final = 32
"""Side of the grey version that is kept of a picture: 1 KB a picture."""

MAX_DISTANCE: Final = 7
"""Bits in which the hashes of copies may differ: one fewer than the hash has bytes, so that one byte is the same."""

MAX_DIFFERENCE: Final = 0.33
"""How much a part may differ, as a share of its own contrast. Measured: two frames of CamVid that were taken from a
standing car differ by 0.38 or more; JPEG at quality 70 and half the size stay below 0.3 in nearly all pictures."""

_PARTS: Final = 8
_AT_ONCE: Final = 256
"""Pictures compared with another at once: some MB."""
_NOISE: Final = 3.0
"""Grey levels a pixel by which even flat parts may differ."""


@dataclass(frozen=True)
class Fingerprint:
    """What a picture looks like, in little.

    Args:
        hash: 8 bytes that say what its coarse structure is.
        grey: Its grey version, uint8 ``[32, 32]``, as bytes.
    """

    hash: bytes
    grey: bytes


def fingerprint(image: npt.NDArray[np.uint8]) -> Fingerprint:
    """The fingerprint of an RGB picture, uint8 ``[H, W, 3]``.

    The hash is pHash's: which of the 8×8 lowest frequencies of the cosine transform of the 32×32 grey picture lie above
    their median (Zauner 2010, Implementation and Benchmarking of Perceptual Image Hash Functions, 3.2.1).
    """
    grey = cv2.resize(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    # The first row and column, the brightness and its drift, are left out as in pHash: they tell the light.
    low = cv2.dct(grey.astype(np.float32))[1:9, 1:9]
    bits = np.packbits(low > np.median(low))
    return Fingerprint(bits.tobytes(), grey.tobytes())


def groups(fingerprints: Sequence[Fingerprint]) -> list[list[int]]:
    """Which pictures look the same.

    Two pictures are compared only where a byte of their hashes agrees, so 20 000 pictures take seconds.

    Args:
        fingerprints: One a picture.

    Returns:
        Indices that belong together, two or more a group, ascending; the groups in the order of their first index.
    """
    if not fingerprints:
        return []
    different = list(dict.fromkeys(fingerprints))
    greys = np.stack([np.frombuffer(one.grey, np.uint8).reshape(SIDE, SIDE) for one in different])
    parents = list(range(len(different)))
    for a, others in _candidates(different):
        for b in others[_same(greys[a][None], greys[others])]:
            first, second = sorted((_root(parents, a), _root(parents, int(b))))
            parents[second] = first
    group_of = {one: _root(parents, index) for index, one in enumerate(different)}
    found: dict[int, list[int]] = {}
    for index, one in enumerate(fingerprints):
        found.setdefault(group_of[one], []).append(index)
    return [members for members in found.values() if len(members) > 1]


def _root(parents: list[int], index: int) -> int:
    while parents[index] != index:
        parents[index] = parents[parents[index]]
        index = parents[index]
    return index


def _candidates(fingerprints: Sequence[Fingerprint]) -> Iterator[tuple[int, npt.NDArray[np.intp]]]:
    """Pictures, each with others that have nearly the same hash; every pair once."""
    hashes = np.frombuffer(b"".join(one.hash for one in fingerprints), np.uint8).reshape(-1, 8)
    words = hashes.view(np.uint64).ravel()
    for byte in range(8):
        order = np.argsort(hashes[:, byte], kind="stable")
        for bucket in np.split(order, np.flatnonzero(np.diff(hashes[order, byte])) + 1):
            for place, a in enumerate(bucket[:-1]):
                others = bucket[place + 1 :]
                others = others[np.bitwise_count(words[others] ^ words[a]) <= MAX_DISTANCE]
                # Those with an earlier byte in common were in its bucket.
                others = others[~(hashes[others, :byte] == hashes[a, :byte]).any(axis=1)]
                for begin in range(0, len(others), _AT_ONCE):
                    yield int(a), others[begin : begin + _AT_ONCE]


def _same(a: npt.NDArray[np.uint8], b: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Which grey pictures b ``[M, 32, 32]`` are a ``[1, 32, 32]`` under another light, everywhere: bool ``[M]``."""
    # What is black or white in one may be anything in the other, if that one is brighter.
    told = (np.minimum(a, b) > 4) & (np.maximum(a, b) < 251)
    first, second = np.broadcast_to(a, b.shape) / 127.5 - 1, b / 127.5 - 1
    differs = np.maximum(_difference(first, second, told), _difference(second, first, told)) > MAX_DIFFERENCE
    # Where nearly all is black or white there is next to nothing to compare.
    same: npt.NDArray[np.bool_] = np.where(told.mean(axis=(1, 2)) < 0.25, (a == b).all(axis=(1, 2)), ~differs)
    return same


def _difference(a: Greys, b: Greys, told: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """How much the part that fits worst differs, as a share of its contrast, once b has the light of a: ``[M]``."""
    terms = np.stack([np.ones_like(b), b, b * b])  # a parabola: brightness, contrast and gamma
    squares = np.einsum("imyx,jmyx,myx->mij", terms, terms, told, optimize=True)
    mixed = np.einsum("imyx,myx,myx->mi", terms, a, told, optimize=True)
    # A blank picture has no contrast to fit; this little keeps its equations solvable.
    light = np.linalg.solve(squares + 1e-6 * np.eye(3), mixed[..., None])[..., 0]
    rest: Greys = np.where(told, a - np.einsum("mi,imyx->myx", light, terms), 0.0)
    edges = np.sum(np.square(np.gradient(a, axis=(1, 2))), axis=0)
    parts = np.sqrt(_by_part(np.square(rest))) / (np.sqrt(_by_part(edges)) + _NOISE / 127.5)
    worst: npt.NDArray[np.float64] = parts.max(axis=(1, 2))
    return worst


def _by_part(values: Greys) -> Greys:
    """The mean over each of the 8×8 parts: ``[M, 8, 8]``."""
    side = SIDE // _PARTS
    means: Greys = values.reshape(-1, _PARTS, side, _PARTS, side).mean(axis=(2, 4))
    return means
