"""Dataset: the samples of each split, and their record ``data.json``."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Literal

from kseg.data.objects import Objects
from kseg.data.sample import SPLITS, Sample, SplitName
from kseg.errors import ConfigError, DataError, abbreviate
from kseg.files import write_json
from kseg.images import printable
from kseg.labels import LabelMap
from kseg.parallel import parallel_map
from kseg.registry import lookup

__all__ = ["Dataset"]

_FORMAT: Final = 2


@dataclass(frozen=True)
class Dataset:
    """The samples of each split, and the label map of their masks.

    Args:
        root: The folder that paths in ``data.json`` are relative to.
        labels: The classes and their on-disk values.
        splits: Split → its samples; a split may be missing or empty.
    """

    root: Path
    labels: LabelMap
    splits: Mapping[SplitName, tuple[Sample, ...]]

    def samples(self, split: SplitName | Literal["all"]) -> tuple[Sample, ...]:
        """The samples of a split, or of all splits in the order train, val, test.

        Raises:
            UnknownNameError: There is no such split.
            DataError: It holds none.
        """
        names = lookup({name: (name,) for name in SPLITS} | {"all": SPLITS}, split, kind="split", where="split")
        samples = tuple(sample for name in names for sample in self.splits.get(name, ()))
        if not samples:
            sizes = ", ".join(f"{name} {len(self.splits.get(name, ()))}" for name in SPLITS)
            whole = split == "all"
            raise DataError(
                "the data set is empty" if whole else f"the split {split!r} is empty", where=printable(self.root),
                found=f"images: {sizes}",
                remedy="add images" if whole else f"choose data.split so that {split} gets images",
            )  # fmt: skip
        return samples

    def fingerprint(self) -> str:
        """SHA-256 of the contents of all files and the split of each, independent of names and order.

        Raises:
            DataError: A file is missing.
        """
        return _fingerprint(self._records)

    def save(self, path: Path) -> None:
        """Write ``data.json``: root, labels, and for each split the files with their SHA-256.

        Raises:
            DataError: A file of the data set is missing.
            OutputError: ``path`` cannot be written.
        """
        write_json(
            path,
            {
                "format": _FORMAT,
                "root": str(self.root),
                "fingerprint": self.fingerprint(),
                "labels": self.labels.to_json(),
                "splits": self._records,
            },
        )

    @classmethod
    def load(cls, path: Path) -> Dataset:
        """Read a file that `save` wrote.

        Raises:
            DataError: ``path`` is not such a file, or files that it names are missing.
        """
        data = _read_json(path)
        try:
            if data["format"] != _FORMAT:
                raise DataError("written by another version of kseg", where=printable(path))
            root = Path(data["root"])
            splits = {name: tuple(_sample(root, entry) for entry in data["splits"].get(name, ())) for name in SPLITS}
            dataset = cls(root, LabelMap.from_json(data["labels"]), splits)
        except (KeyError, TypeError, ValueError, AttributeError, ConfigError) as error:
            raise DataError(
                "not the record of a data set", where=printable(path), expected="a data.json that kseg wrote",
                found=str(error),
            ) from error  # fmt: skip
        dataset._require_files(path)
        return dataset

    @cached_property
    def _records(self) -> dict[str, list[dict[str, Any]]]:
        """Split → a record of each sample, with the SHA-256 of its files; computed once."""
        # Each file once: the pages of a file are samples.
        files = list(
            dict.fromkeys(file for samples in self.splits.values() for sample in samples for file in sample.files)
        )
        digests = dict(zip(files, parallel_map(_sha256, files), strict=True))
        return {name: [self._record(sample, digests) for sample in self.splits.get(name, ())] for name in SPLITS}

    def _record(self, sample: Sample, digests: Mapping[Path, str]) -> dict[str, Any]:
        return {
            "key": sample.key,
            "image": os.path.relpath(sample.image, self.root),
            "image_sha256": digests[sample.image],
            **self._record_mask(sample.mask, digests),
            **({"turned": True} if sample.turned else {}),
            **({"scaled": True} if sample.scaled else {}),
            **({} if sample.page is None else {"page": sample.page}),
        }

    def _record_mask(self, mask: Path | Objects | None, digests: Mapping[Path, str]) -> dict[str, Any]:
        if mask is None:
            return {"mask": None, "mask_sha256": None}
        if isinstance(mask, Path):
            return {"mask": os.path.relpath(mask, self.root), "mask_sha256": digests[mask]}
        # The objects themselves, so that later changes of the annotation file do not change the scores of this run.
        source = os.path.relpath(mask.source, self.root)
        return {"mask": source, "mask_sha256": mask.digest(), "objects": mask.to_json()}

    def _require_files(self, record_path: Path) -> None:
        files = [file for samples in self.splits.values() for sample in samples for file in sample.files]
        missing = [printable(file) for file in files if not file.is_file()]
        if missing:
            raise DataError(
                f"{len(missing)} of the {len(files)} files of the data set are missing", where=printable(record_path),
                found=f"no {abbreviate(missing)}", remedy="put them back, or name the data with --data",
            )  # fmt: skip


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise DataError("cannot be read", where=printable(path), found=error.strerror or str(error)) from error
    except ValueError as error:
        raise DataError(
            "not the record of a data set", where=printable(path), expected="a data.json that kseg wrote"
        ) from error


def _sample(root: Path, entry: Mapping[str, Any]) -> Sample:
    # normpath: a folder beside the root is recorded as ../folder.
    mask_path = None if entry["mask"] is None else Path(os.path.normpath(root / entry["mask"]))
    image = Path(os.path.normpath(root / entry["image"]))
    mask: Path | Objects | None = mask_path
    if mask_path is not None and "objects" in entry:
        mask = Objects.from_json(entry["objects"], mask_path)
    page = entry.get("page")
    return Sample(
        str(entry["key"]), image, mask, bool(entry.get("turned", False)), bool(entry.get("scaled", False)),
        None if page is None else int(page),
    )  # fmt: skip


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except OSError as error:
        raise DataError("cannot be read", where=printable(path), found=error.strerror or str(error)) from error
    return digest.hexdigest()


def _fingerprint(records: Mapping[str, list[dict[str, Any]]]) -> str:
    lines = [
        " ".join(
            [
                split,
                entry["image_sha256"],
                str(entry["mask_sha256"]),
                *([str(entry["page"])] if "page" in entry else []),
            ]
        )
        for split in records
        for entry in records[split]
    ]
    # Sorted: the same files in another order or under other names have the same fingerprint.
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()
