"""Write every sample's mask as a PNG of class ids, with a manifest that `kseg.data.formats.manifest` reads.

::

    FOLDER/images/KEY.png   the pages of TIFF files, where these are samples
    FOLDER/masks/KEY.png    class ids 0 … K-1 in the classes' colours, 255 = ignore
    FOLDER/manifest.csv     image, mask, split
    FOLDER/data.yaml        the ``data`` section that reads it

Each PNG contains a digest of its sources, so that a repeated or resumed run writes only masks that are missing, damaged
or out of date.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import yaml

from kseg.data.dataset import Dataset
from kseg.data.objects import Objects
from kseg.data.sample import SPLITS, Sample, SplitName
from kseg.data.truth import picture_header, picture_size, read_picture, read_truth
from kseg.errors import DataError, UsageError, abbreviate
from kseg.files import make_folder, safe_child, write_bytes
from kseg.images import png_note, printable, write_index_png, write_png
from kseg.labels import IGNORE, IGNORE_INDEX, LabelMap, format_color
from kseg.parallel import Progress, parallel_map
from kseg.sizes import format_size

__all__ = ["NOTE", "MasksReport", "write_masks"]

NOTE: Final = "kseg-made-from"
"""The text chunk with the digest of a mask's sources, see `kseg.images.png_note`."""


@dataclass(frozen=True)
class MasksReport:
    """The outcome of `write_masks`, by sample keys.

    Args:
        written: Samples whose mask was written.
        kept: Samples whose mask existed and was up to date.
        failed: Sample → the reason why its mask could not be written.
        config: The YAML file with the section ``data`` for the masks.
    """

    written: tuple[str, ...]
    kept: tuple[str, ...]
    failed: Mapping[str, str]
    config: Path


def write_masks(
    dataset: Dataset,
    folder: Path,
    *,
    split: SplitName | Literal["all"] = "all",
    workers: int | None = None,
    on_progress: Progress | None = None,
) -> MasksReport:
    """Write the masks, the manifest and the configuration.

    Args:
        dataset: The data set.
        folder: The folder to write to; may contain the output of an earlier call.
        split: The split to write.
        workers: Number of threads. Defaults to one per core.
        on_progress: Called after each sample.

    Raises:
        DataError: There are no samples.
        UsageError: A file of the data set would be overwritten.
        OutputError: The folder cannot be written.
    """
    samples = dataset.samples(split)
    folder = Path(os.path.abspath(folder))
    masks_folder = make_folder(folder / "masks")
    files = {sample: safe_child(masks_folder, f"{sample.key}.png") for sample in samples}
    pages = {
        sample: safe_child(folder / "images", f"{sample.key}.png") for sample in samples if sample.page is not None
    }
    _require_no_overwrite(dataset, folder, files, pages)
    labels = json.dumps(dataset.labels.to_json())
    outcomes = parallel_map(
        lambda sample: _write(sample, files[sample], pages.get(sample), dataset.labels, labels), samples,
        workers=workers, on_progress=on_progress,
    )  # fmt: skip
    by_sample = dict(zip(samples, outcomes, strict=True))
    mask_of = {sample: files[sample] for sample, outcome in by_sample.items() if outcome in ("written", "kept")}
    _write_manifest(dataset, mask_of, pages, folder)
    _write_config(dataset.labels, folder)
    return MasksReport(
        tuple(sample.key for sample, outcome in by_sample.items() if outcome == "written"),
        tuple(sample.key for sample, outcome in by_sample.items() if outcome == "kept"),
        {sample.key: outcome for sample, outcome in by_sample.items() if sample not in mask_of},
        folder / "data.yaml",
    )


def _require_no_overwrite(
    dataset: Dataset, folder: Path, files: Mapping[Sample, Path], pages: Mapping[Sample, Path]
) -> None:
    written = {os.path.realpath(file) for file in (*files.values(), *pages.values(), folder / "manifest.csv")}
    images_and_masks = [file for sample in dataset.samples("all") for file in sample.files]
    sources = [sample.mask.source for sample in files if isinstance(sample.mask, Objects)]
    overwritten = [
        printable(file) for file in dict.fromkeys([*images_and_masks, *sources]) if os.path.realpath(file) in written
    ]
    if overwritten:
        raise UsageError(
            "the masks would overwrite files of the data set", where="--out", found=abbreviate(overwritten),
            expected="a folder without the data set's files",
        )  # fmt: skip


def _write(sample: Sample, path: Path, page: Path | None, labels: LabelMap, meaning: str) -> str:
    """Write a mask unless it is up to date, and the page that it belongs to.

    Returns:
        ``written``, ``kept``, or the reason of the failure.
    """
    try:
        if page is not None:
            picture = read_picture(sample)
            page.parent.mkdir(parents=True, exist_ok=True)
            write_png(page, picture)
        made_from = _digest(sample, meaning)
        if png_note(path, NOTE) == made_from:
            return "kept"
        ids = read_truth(sample, labels)
        size = picture_size(sample)
        if ids.shape != size:
            raise DataError(
                "the mask has another size than its image", where=printable(sample.key),
                expected=format_size(size), found=format_size(ids.shape),
                remedy="see kseg data check",
            )  # fmt: skip
    except DataError as error:
        return str(error)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_index_png(path, ids, labels.colors, {NOTE: made_from})
    return "written"


def _digest(sample: Sample, meaning: str) -> str:
    """SHA-256 of everything that a mask depends on: ground truth, labels, image size and orientation."""
    turn = picture_header(sample).orientation if sample.turned else 0
    if sample.mask is None:
        raise DataError("the sample has no mask", where=printable(sample.image))
    if isinstance(sample.mask, Objects):
        truth = sample.mask.digest()
    else:
        try:
            truth = hashlib.sha256(sample.mask.read_bytes()).hexdigest()
        except OSError as error:
            reason = error.strerror or str(error)
            raise DataError("cannot be read", where=printable(sample.mask), found=reason) from error
    page = "" if sample.page is None else f" page {sample.page}"
    return hashlib.sha256(f"{truth} {turn} {picture_size(sample)} {meaning}{page}".encode()).hexdigest()


def _write_manifest(
    dataset: Dataset, mask_of: Mapping[Sample, Path], pages: Mapping[Sample, Path], folder: Path
) -> None:
    rows = [
        (_relative(pages.get(sample, sample.image), folder), _relative(mask_of[sample], folder), split)
        for split in SPLITS for sample in dataset.splits.get(split, ()) if sample in mask_of
    ]  # fmt: skip
    # Of itself csv quotes no carriage return, but takes it for the end of a row.
    quoting: Literal[0, 1] = csv.QUOTE_ALL if any("\r" in cell for row in rows for cell in row) else csv.QUOTE_MINIMAL
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n", quoting=quoting).writerows([("image", "mask", "split"), *rows])
    # File names may hold bytes that are not UTF-8.
    write_bytes(folder / "manifest.csv", text.getvalue().encode("utf-8", "surrogateescape"))


def _relative(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path)


def _write_config(labels: LabelMap, folder: Path) -> None:
    void = {IGNORE_INDEX: IGNORE} if IGNORE in labels.values.values() else {}
    data = {
        "root": ".",
        "format": "manifest",
        "annotations": "manifest.csv",
        "classes": list(labels.names),
        "values": {**dict(enumerate(labels.names)), **void},
        "colors": [format_color(color) for color in labels.colors],
    }
    text = "# Written by kseg data masks\n" + yaml.safe_dump({"data": data}, sort_keys=False, allow_unicode=True)
    write_bytes(folder / "data.yaml", text.encode("utf-8"))
