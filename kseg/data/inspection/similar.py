"""Find images that look the same: candidates by a perceptual hash, confirmed by comparing small grey versions.

Copies that were scaled, compressed, or changed a little in brightness or contrast are found. Images that are merely
similar are not, such as frames of a video in which something moved: a copy differs from its original a little along all
edges, another image differs much in some place. Crops, rotated and mirrored copies are not found.
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
"""Grey images ``[M, 32, 32]`` in -1..1."""

SIDE: Final = 32
"""Side of the grey version of an image: 1 KB per image."""

MAX_DISTANCE: Final = 7
"""Bits in which hashes of copies may differ: one fewer than the hash has bytes, so at least one byte agrees."""

MAX_DIFFERENCE: Final = 0.33
"""Largest difference of a part of the image, relative to its own contrast. Measured: frames of CamVid that were taken
from a standing car differ by 0.38 or more; JPEG at quality 70 and half the size nearly always by less than 0.3."""

_PARTS: Final = 8
_AT_ONCE: Final = 256
"""Images that are compared with another one at once: some MB of memory."""
_NOISE: Final = 3.0
"""Difference per pixel that is tolerated even in flat parts, in grey levels."""


@dataclass(frozen=True)
class Fingerprint:
    """A perceptual hash and a small version of an image.

    Args:
        hash: 8 bytes, a perceptual hash of its coarse structure.
        grey: Its grey version, uint8 ``[32, 32]``, as bytes.
    """

    hash: bytes
    grey: bytes


def fingerprint(image: npt.NDArray[np.uint8]) -> Fingerprint:
    """The fingerprint of an RGB image, uint8 ``[H, W, 3]``.

    The hash is pHash: a bit for each of the 8×8 lowest frequencies in the cosine transform of the 32×32 grey image,
    set if it is above their median (Zauner 2010, Implementation and Benchmarking of Perceptual Image Hash Functions).
    """
    grey = cv2.resize(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    # As in pHash, the first row and column (brightness and its gradients) are left out: they depend on the light.
    low = cv2.dct(grey.astype(np.float32))[1:9, 1:9]
    bits = np.packbits(low > np.median(low))
    return Fingerprint(bits.tobytes(), grey.tobytes())


def groups(fingerprints: Sequence[Fingerprint]) -> list[list[int]]:
    """Group images that look the same.

    Two images are compared only if a byte of their hashes agrees, so 20 000 images take seconds.

    Args:
        fingerprints: One per image.

    Returns:
        The indices of each group of two or more images, ascending; the groups are in the order of their first index.
    """
    if not fingerprints:
        return []
    distinct = list(dict.fromkeys(fingerprints))
    greys = np.stack([np.frombuffer(print_.grey, np.uint8).reshape(SIDE, SIDE) for print_ in distinct])
    parents = list(range(len(distinct)))
    for a, others in _candidates(distinct):
        for b in others[_same(greys[a][None], greys[others])]:
            first, second = sorted((_root(parents, a), _root(parents, int(b))))
            parents[second] = first
    group_of = {print_: _root(parents, index) for index, print_ in enumerate(distinct)}
    members_of: dict[int, list[int]] = {}
    for index, print_ in enumerate(fingerprints):
        members_of.setdefault(group_of[print_], []).append(index)
    return [members for members in members_of.values() if len(members) > 1]


def _root(parents: list[int], index: int) -> int:
    """The representative of an index in a union-find forest; halves the path on the way."""
    while parents[index] != index:
        parents[index] = parents[parents[index]]
        index = parents[index]
    return index


def _candidates(fingerprints: Sequence[Fingerprint]) -> Iterator[tuple[int, npt.NDArray[np.intp]]]:
    """Each image with others whose hashes differ in at most `MAX_DISTANCE` bits; every pair once.

    If fewer bits differ than the hash has bytes, at least one byte is equal (pigeonhole principle): it suffices to
    compare images within the buckets of an equal byte.
    """
    hashes = np.frombuffer(b"".join(print_.hash for print_ in fingerprints), np.uint8).reshape(-1, 8)
    words = hashes.view(np.uint64).ravel()
    for byte in range(8):
        order = np.argsort(hashes[:, byte], kind="stable")
        for bucket in np.split(order, np.flatnonzero(np.diff(hashes[order, byte])) + 1):
            for position, a in enumerate(bucket[:-1]):
                others = bucket[position + 1 :]
                others = others[np.bitwise_count(words[others] ^ words[a]) <= MAX_DISTANCE]
                # Pairs with an earlier byte in common were in that byte's bucket.
                others = others[~(hashes[others, :byte] == hashes[a, :byte]).any(axis=1)]
                for begin in range(0, len(others), _AT_ONCE):
                    yield int(a), others[begin : begin + _AT_ONCE]


def _same(a: npt.NDArray[np.uint8], b: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Which grey images b ``[M, 32, 32]`` equal a ``[1, 32, 32]`` except for brightness and contrast: bool ``[M]``."""
    # Clipped pixels are not compared: they may have had any value beyond.
    comparable = (np.minimum(a, b) > 4) & (np.maximum(a, b) < 251)
    first, second = np.broadcast_to(a, b.shape) / 127.5 - 1, b / 127.5 - 1
    is_different = (
        np.maximum(_difference(first, second, comparable), _difference(second, first, comparable)) > MAX_DIFFERENCE
    )
    # If most pixels are clipped, there is too little to compare: only exact copies count.
    same: npt.NDArray[np.bool_] = np.where(
        comparable.mean(axis=(1, 2)) < 0.25, (a == b).all(axis=(1, 2)), ~is_different
    )
    return same


def _difference(a: Greys, b: Greys, comparable: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """The difference of the worst part, relative to its contrast, after b's grey levels are fitted to a's: ``[M]``.

    Least squares: a ≈ c0 + c1 b + c2 b² over the comparable pixels, by the normal equations. The residual and the
    gradient of a are averaged over 8×8 parts; a part differs by the RMS residual over the RMS gradient.
    """
    terms = np.stack([np.ones_like(b), b, b * b])  # a parabola: brightness, contrast and gamma
    gram = np.einsum("imyx,jmyx,myx->mij", terms, terms, comparable, optimize=True)
    moments = np.einsum("imyx,myx,myx->mi", terms, a, comparable, optimize=True)
    # The small ridge keeps the equations of a blank image solvable.
    coefficients = np.linalg.solve(gram + 1e-6 * np.eye(3), moments[..., None])[..., 0]
    residual: Greys = np.where(comparable, a - np.einsum("mi,imyx->myx", coefficients, terms), 0.0)
    edges = np.sum(np.square(np.gradient(a, axis=(1, 2))), axis=0)
    parts = np.sqrt(_by_part(np.square(residual))) / (np.sqrt(_by_part(edges)) + _NOISE / 127.5)
    worst: npt.NDArray[np.float64] = parts.max(axis=(1, 2))
    return worst


def _by_part(values: Greys) -> Greys:
    """Means ``[M, 8, 8]`` over 8×8 parts of images ``[M, 32, 32]``."""
    side = SIDE // _PARTS
    means: Greys = values.reshape(-1, _PARTS, side, _PARTS, side).mean(axis=(2, 4))
    return means
