"""``folders``: a folder or glob of images, and one of masks with the same stems."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from kseg.data.formats.common import report_unpaired
from kseg.data.formats.listing import ImageFiles
from kseg.data.formats.reader import Listing
from kseg.data.formats.remedies import propose_settings
from kseg.data.formats.stems import StemPairs, pair_by_stem
from kseg.data.sample import Sample
from kseg.data.spec import DataSpec
from kseg.errors import abbreviate
from kseg.images import printable

__all__ = ["read"]

_SHOWN: Final = 3


def read(spec: DataSpec, part: str | None) -> Listing:
    """Pair the files of ``spec.images`` and ``spec.masks``.

    Raises:
        ConfigError: A folder is missing, or both are the same.
        DataError: There are no images; some are unpaired; two share a stem.
    """
    pairs = pair_by_stem(spec, part)
    _report_unpaired(pairs, spec, part)
    return Listing(tuple(
        Sample(pairs.images.key(pairs.image_of[name]), pairs.image_of[name], pairs.mask_of[mask])
        for name, mask in sorted(pairs.matches.items())
    ))  # fmt: skip


def _report_unpaired(pairs: StemPairs, spec: DataSpec, part: str | None) -> None:
    """Report images without a mask and masks without an image, and the setting that would pair them."""
    images, masks = pairs.images, pairs.masks
    bare = [file for name, file in pairs.image_of.items() if name not in pairs.matches]
    orphans = [pairs.mask_of[name] for name in pairs.mask_of.keys() - set(pairs.matches.values())]
    problems = []
    if bare:
        problems.append(f"{len(bare)} of {len(images.files)} images have no mask ({_names(images, bare)})")
    if orphans:
        problems.append(f"{len(orphans)} of {len(masks.files)} masks have no image ({_names(masks, orphans)})")
    if not pairs.matches:
        problems.append(_comparison(pairs))
    report_unpaired(
        problems, where=printable(masks.folder), expected="a mask of the same stem for each image",
        unpaired=spec.unpaired, count=len(bare) + len(orphans), remaining=len(pairs.matches),
        remedy=lambda: propose_settings(pairs, spec, part),
    )  # fmt: skip


def _names(listed: ImageFiles, files: Sequence[Path]) -> str:
    return abbreviate(printable(os.path.relpath(file, listed.folder)) for file in sorted(files))


def _comparison(pairs: StemPairs) -> str:
    """The names that were compared: ``compared: images 'IMG_1', 'IMG_2' (photos); masks 'mask_1' (labels)``."""
    suffix = f", with data.mask_suffix {printable(pairs.mask_suffix)}" if pairs.mask_suffix else ""
    return (
        f"compared: images {_stems(pairs.image_of)} ({printable(pairs.images.setting)}{suffix}); "
        f"masks {_stems(pairs.mask_of)} ({printable(pairs.masks.setting)})"
    )


def _stems(names: Iterable[str]) -> str:
    stems = [re.sub("/+", "/", name).lstrip("/") for name in sorted(names)]
    return ", ".join([*(f"'{printable(stem)}'" for stem in stems[:_SHOWN]), *["…"][: len(stems) > _SHOWN]])
