"""Read every file once before training, and tell all that is wrong with the data while it costs nothing yet."""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kseg.data.parallel import Progress, parallel_map
from kseg.data.samples import SPLITS, Dataset, Sample, SplitName
from kseg.data.truth import read_values
from kseg.errors import DataError, ImageError, some
from kseg.images import printable, read_image
from kseg.labels import IGNORE, IGNORE_INDEX, LabelMap, values_line

__all__ = ["DatasetReport", "check_dataset"]

_log = logging.getLogger("kseg")

Counts = npt.NDArray[np.int64]
Size = tuple[int, int]

_MANY_VALUES = 16
"""More unknown values than this look like smoothed edges rather than like classes."""


@dataclass(frozen=True, eq=False)
class DatasetReport:
    """What the masks hold.

    Args:
        class_pixels: For each split, the pixels of each class: int64 ``[K]``.
        class_images: For each split, in how many images each class is: int64 ``[K]``.
        ignored: For each split, the share of pixels that are ignored, in 0..1.
        sizes: How many images have which height and width.
    """

    class_pixels: Mapping[SplitName, Counts]
    class_images: Mapping[SplitName, Counts]
    ignored: Mapping[SplitName, float]
    sizes: Mapping[Size, int]


@dataclass(frozen=True)
class _Examined:
    """What one sample turned out to be; ``unreadable`` stands alone."""

    sample: Sample
    unreadable: str | None = None
    image_size: Size = (0, 0)
    mask_size: Size | None = None
    values: Mapping[int, int] | None = None
    """Pixels of each on-disk value."""
    digest: bytes = b""
    """Of the picture's pixels."""


def check_dataset(
    dataset: Dataset, *, on_progress: Progress | None = None, workers: int | None = None
) -> DatasetReport:
    """Decode every image and mask, and see that they fit one another and the label map.

    Warns of a class that is absent from validation or test, and of pictures that are in two splits.

    Raises:
        DataError: Files cannot be read; a mask has another size than its image; masks hold values that the label map
            does not name (the message has the YAML line that would); a foreground class is absent from training.
    """
    examined = parallel_map(
        lambda sample: _examine(sample, dataset.labels), dataset.samples("all"), workers=workers,
        on_progress=on_progress,
    )  # fmt: skip
    _require_readable(dataset, examined)
    _require_same_size(dataset, examined)
    _require_known_values(dataset, examined)
    by_sample = {one.sample: one for one in examined}
    splits = {name: [by_sample[sample] for sample in dataset.splits.get(name, ())] for name in SPLITS}
    report = _report(dataset.labels, splits)
    _require_classes(dataset, report)
    _warn_of_copies(splits)
    return report


def _examine(sample: Sample, labels: LabelMap) -> _Examined:
    try:
        image = read_image(sample.image)
        mask = None if sample.mask is None else read_values(sample, colors=labels.is_colored)
    except ImageError as error:
        return _Examined(sample, unreadable=str(error))
    digest = hashlib.blake2b(image.data, digest_size=16).digest()
    size: Size = (image.shape[0], image.shape[1])
    if mask is None:
        return _Examined(sample, image_size=size, digest=digest)
    pixels = np.bincount(mask.ravel())
    values = {int(value): int(pixels[value]) for value in np.flatnonzero(pixels)}
    return _Examined(sample, None, size, (mask.shape[0], mask.shape[1]), values, digest)


def _require_readable(dataset: Dataset, examined: Sequence[_Examined]) -> None:
    reasons = [one.unreadable for one in examined if one.unreadable is not None]
    if reasons:
        raise DataError(
            f"{len(reasons)} of {len(examined)} samples cannot be read", where=printable(dataset.root),
            found="; ".join(reasons[:5]) + (f"; and {len(reasons) - 5} more" if len(reasons) > 5 else ""),
            remedy="mend or remove these files",
        )  # fmt: skip


def _require_same_size(dataset: Dataset, examined: Sequence[_Examined]) -> None:
    wrong = [one for one in examined if one.mask_size not in (None, one.image_size)]
    if not wrong:
        return
    turned = all(one.mask_size == one.image_size[::-1] for one in wrong)
    raise DataError(
        f"{len(wrong)} of {len(examined)} masks have another size than their images", where=printable(dataset.root),
        expected="the size of the image, height × width, as a viewer shows it",
        found=some(f"{printable(s.sample.key)} (image {_by(s.image_size)}, mask {_by(s.mask_size)})" for s in wrong),
        remedy="an EXIF orientation seems to turn one of the two only: turn the pixels, and remove the orientation"
        if turned else "draw the masks on these very images, or check data.masks",
    )  # fmt: skip


def _by(size: Size | None) -> str:
    return f"{size[0]}×{size[1]}" if size else "none"


def _require_known_values(dataset: Dataset, examined: Sequence[_Examined]) -> None:
    files = Counter(value for one in examined for value in one.values or ())
    unknown = [int(value) for value in dataset.labels.unmapped(np.array(list(files), int))]
    if not unknown:
        return
    masks = sum(one.values is not None for one in examined)
    raise DataError(
        "masks hold values that data.values does not name", where=printable(dataset.root),
        expected=f"data.values: {values_line(dataset.labels.values)}",
        found=some(f"{value} (in {files[value]} of {masks} masks)" for value in unknown),
        remedy=_remedy(dataset.labels, sorted(files), unknown),
    )  # fmt: skip


def _remedy(labels: LabelMap, found: Sequence[int], unknown: Sequence[int]) -> str:
    if len(unknown) > _MANY_VALUES:
        other = values_line({0: labels.names[0], "other": labels.names[-1]})
        return (
            "values in between come from smoothed edges or JPEG: save the masks unsmoothed as PNG, or add "
            f"data.values: {other if labels.num_classes == 2 else '{…, other: ignore}'}"
        )
    return f"add e.g. data.values: {values_line(_suggest(labels, found, unknown))}"


def _suggest(labels: LabelMap, found: Sequence[int], unknown: Sequence[int]) -> dict[int | str, str]:
    """Values as they may be meant: classes in the order of the values found, or what is unknown ignored."""
    listed = {value for value in labels.values if isinstance(value, int)}
    if listed <= set(found):
        return {**labels.values, **dict.fromkeys(unknown, IGNORE)}
    names = [*labels.names, *[IGNORE] * len(found)]
    return dict(zip(found, names, strict=False))


def _report(labels: LabelMap, splits: Mapping[SplitName, Sequence[_Examined]]) -> DatasetReport:
    pixels: dict[SplitName, Counts] = {}
    images: dict[SplitName, Counts] = {}
    ignored: dict[SplitName, float] = {}
    for name, examined in splits.items():
        per_image = np.array([_per_class(one, labels) for one in examined], np.int64).reshape(-1, IGNORE_INDEX + 1)
        totals = per_image.sum(axis=0)
        pixels[name] = totals[: labels.num_classes]
        images[name] = (per_image > 0).sum(axis=0)[: labels.num_classes]
        ignored[name] = float(totals[IGNORE_INDEX] / max(totals.sum(), 1))
    sizes = Counter(one.image_size for examined in splits.values() for one in examined)
    return DatasetReport(pixels, images, ignored, dict(sizes))


def _per_class(one: _Examined, labels: LabelMap) -> Counts:
    """Pixels of each class id: int64 ``[256]``, the last one the ignored."""
    counts = np.zeros(IGNORE_INDEX + 1, np.int64)
    values = one.values or {}
    np.add.at(counts, labels.ids(np.array(list(values), int)), list(values.values()))
    return counts


def _absent(labels: LabelMap, counts: Counts, classes: Iterable[int]) -> list[str]:
    return [labels.names[i] for i in classes if counts[i] == 0]


def _require_classes(dataset: Dataset, report: DatasetReport) -> None:
    labels = dataset.labels
    for name in SPLITS:
        masked = [sample for sample in dataset.splits.get(name, ()) if sample.mask is not None]
        absent = _absent(labels, report.class_pixels[name], labels.foreground) if masked else []
        if absent and name == "train":
            raise DataError(
                f"no training mask has a pixel of {some(absent)}", where=printable(dataset.root),
                expected="every class in the training images", found=f"{len(masked)} training masks",
                remedy="correct data.values, add images, change data.split, or take the class out of data.classes",
            )  # fmt: skip
        if absent:
            _log.warning("no mask of the split %s has a pixel of %s: it has no score there", name, some(absent))


def _warn_of_copies(splits: Mapping[SplitName, Sequence[_Examined]]) -> None:
    """The same picture in two splits makes scores too good."""
    seen: dict[bytes, tuple[SplitName, str]] = {}
    copies = []
    for name, examined in splits.items():
        for one in examined:
            earlier = seen.setdefault(one.digest, (name, one.sample.key))
            if earlier[0] != name:
                copies.append(f"{printable(one.sample.key)} ({name}) = {printable(earlier[1])} ({earlier[0]})")
    if copies:
        _log.warning("%d pictures are in two splits, which flatters the scores: %s", len(copies), some(copies))
