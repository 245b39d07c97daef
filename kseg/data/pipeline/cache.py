"""A cache of decoded samples in files, for splits that do not fit into memory and for later runs.

::

    $KSEG_CACHE, else $XDG_CACHE_HOME/kseg, else ~/.cache/kseg
    └── samples-1/160x160/
        └── 3f/3f9c…                 red, green, blue and class id of each pixel, then their CRC-32

A file's name is a hash of everything that its content depends on: path, length and modification time of image and mask,
the label map, and the size. So changed files and settings get new entries, runs and splits share entries, and entries
survive a crash. Files with a wrong checksum are replaced. Nothing is ever deleted: remove the folder to free the space.
"""

from __future__ import annotations

import errno
import hashlib
import json
import shutil
import uuid
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from kseg.data.objects import Objects
from kseg.data.pipeline.arrays import Arrays, Streamed, load_packed
from kseg.data.sample import Sample
from kseg.errors import DataError, OutputError
from kseg.files import cache_folder, make_folder
from kseg.images import printable
from kseg.labels import LabelMap
from kseg.parallel import Progress, parallel_map

__all__ = ["Cached", "SampleStore", "fill_cache"]

_FORMAT: Final = 1
"""Increase this when decoding or resizing changes."""
CHECKSUM_BYTES: Final = 4


@dataclass(frozen=True)
class Cached:
    """Decoded samples in the files of a cache.

    Args:
        files: The file of each sample: uint8 ``[H, W, 4]``, then its checksum.
        size: Height and width.
    """

    files: tuple[Path, ...]
    size: tuple[int, int]

    def __len__(self) -> int:
        return len(self.files)


SampleStore: TypeAlias = Arrays | Cached | Streamed
"""Decoded samples in memory, in the files of a cache, or decoded at each use."""


def fill_cache(
    samples: Sequence[Sample],
    labels: LabelMap,
    size: tuple[int, int],
    *,
    folder: Path | None = None,
    workers: int | None = None,
    on_progress: Progress | None = None,
) -> Cached:
    """Decode and resize the samples that are not in the cache yet, in threads.

    Args:
        samples: The samples, in the order of the result.
        labels: The label map of their masks.
        size: Height and width to resize to.
        folder: The cache's folder. Defaults to `kseg.files.cache_folder`.
        workers: Number of threads. Defaults to one per core.
        on_progress: Called after each sample.

    Raises:
        DataError: A file cannot be read, a sample has no mask, or a mask has a value that is not in ``labels``.
        OutputError: The cache cannot be written, or the disk is full.
    """
    cache = (folder or cache_folder()) / f"samples-{_FORMAT}" / f"{size[0]}x{size[1]}"
    make_folder(cache)
    settings = hashlib.sha256(json.dumps([_FORMAT, size, labels.to_json()]).encode()).hexdigest()
    files = [_file(cache, sample, settings) for sample in samples]
    length = size[0] * size[1] * 4 + CHECKSUM_BYTES
    _require_space(cache, sum(length for file in files if not file.exists()))

    def make(index: int) -> None:
        if not _is_valid(files[index], length):
            _write(files[index], load_packed(samples[index], labels, size).tobytes())

    parallel_map(make, range(len(samples)), workers=workers, on_progress=on_progress)
    return Cached(tuple(files), size)


def _file(cache: Path, sample: Sample, settings: str) -> Path:
    mask_stamp = (
        sample.mask.digest() if isinstance(sample.mask, Objects) else _stamp(sample.mask) if sample.mask else ""
    )
    name = hashlib.sha256(
        "\n".join(
            [settings, _stamp(sample.image), mask_stamp, str(sample.turned), str(sample.scaled), str(sample.page)]
        ).encode()
    ).hexdigest()
    return cache / name[:2] / name[:32]


def _stamp(path: Path) -> str:
    """Path, length and modification time of a file, as text. Raises DataError."""
    try:
        status = path.stat()
    except OSError as error:
        reason = "no such file" if isinstance(error, FileNotFoundError) else error.strerror or str(error)
        raise DataError(reason, where=printable(path)) from error
    return json.dumps([printable(path.absolute()), status.st_size, status.st_mtime_ns])


def _is_valid(file: Path, length: int) -> bool:
    try:
        content = file.read_bytes()
    except OSError:
        return False
    data = memoryview(content)
    return len(content) == length and zlib.crc32(data[:-CHECKSUM_BYTES]) == int.from_bytes(
        data[-CHECKSUM_BYTES:], "little"
    )


def _write(file: Path, content: bytes) -> None:
    """Write atomically, with the checksum. No fsync, which would take most of the time: the checksum detects damage."""
    aside = file.with_name(f".{uuid.uuid4().hex[:12]}.part")
    try:
        file.parent.mkdir(exist_ok=True)
        aside.write_bytes(content + zlib.crc32(content).to_bytes(CHECKSUM_BYTES, "little"))
        aside.replace(file)
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        raise OutputError(
            "the disk is full" if full else "the cache cannot be written", where=str(file.parent),
            found=error.strerror or str(error), remedy="use --cache none, or set KSEG_CACHE to a folder with space",
        ) from error  # fmt: skip
    finally:
        aside.unlink(missing_ok=True)


def _require_space(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise OutputError(
            "the disk has too little space for the cache", where=str(folder), expected=f"{needed / 1e9:.1f} GB",
            found=f"{free / 1e9:.1f} GB free", remedy="use --cache none, or set KSEG_CACHE to a folder with space",
        )  # fmt: skip
