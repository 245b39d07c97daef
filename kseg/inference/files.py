"""Predict image files: write masks, overlays and scores. No ground truth is needed."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from kseg.card import ModelCard
from kseg.drawing import overlay as draw_overlay
from kseg.errors import ImageError, OutputError, abbreviate
from kseg.files import make_folder
from kseg.images import jpeg_bytes, png_bytes, printable, read_image
from kseg.inference.copies import for_threads
from kseg.inference.predictor import Predictor
from kseg.inference.sources import COMMAND, Picture, Target, find_pictures, name_targets
from kseg.labels import LabelMap
from kseg.parallel import Progress, parallel_results
from kseg.processor import usable_cores
from kseg.provenance import display_path, origin_of, write_marked

__all__ = ["FilesPlan", "PredictReport", "PredictedFile", "predict_files"]

Pixels = npt.NDArray[np.uint8]

_MOST_THREADS: Final = 16
"""Photographs of 12 megapixels in so many threads take 2.5 GB."""
_LONGEST_NAME: Final = 255
"""Bytes of a file's name that common file systems allow."""


@dataclass(frozen=True)
class PredictedFile:
    """A picture whose mask was written.

    Args:
        image: The path of the picture.
        mask: The path of its mask, which holds on-disk values.
        foreground: The share of foreground pixels in it, 0..1.
    """

    image: Path
    mask: Path
    foreground: float


@dataclass(frozen=True)
class PredictReport:
    """The result of `predict_files`.

    Args:
        out: The output folder.
        written: One entry for each picture that was predicted.
        failed: Picture → why it could not be read.
        renamed: Those of ``written`` whose mask is not named as the picture, since several pictures share the name.
    """

    out: Path
    written: tuple[PredictedFile, ...]
    failed: dict[Picture, str]
    renamed: tuple[PredictedFile, ...]

    @property
    def background_only(self) -> int:
        """The number of masks that hold background only."""
        return sum(entry.foreground == 0 for entry in self.written)


@dataclass(frozen=True)
class FilesPlan:
    """Which pictures are predicted, and into which files; checked before a runtime is loaded, which takes seconds.

    Args:
        out: The output folder; it exists.
        targets: One entry for each picture.
    """

    out: Path
    targets: tuple[Target, ...]

    @classmethod
    def make(
        cls, card: ModelCard, sources: Sequence[str], out: Path, *, overlay: bool = False, save_prob: bool = False
    ) -> FilesPlan:
        """Find the pictures, name their files and make the folder.

        Args:
            card: The model's card.
            sources: Files, folders (searched at any depth) and patterns.
            out: The output folder; created if it does not exist.
            overlay: Also write ``<stem>_overlay.jpg``.
            save_prob: Also write the scores: ``<stem>_prob.png`` (0..255; binary models) or ``<stem>_prob.npz``
                (float16 ``scores`` ``[H, W, C]``).

        Raises:
            UsageError: A source matches nothing.
            OutputError: The folder cannot be written, or a file in it would be lost: the prediction of another picture,
                or what kseg did not write.
        """
        images = find_pictures(sources)
        suffix = (".png" if card.channels == 1 else ".npz") if save_prob else None
        targets = name_targets(images, out, overlay=overlay, prob=suffix)
        _require_short_names(targets)
        _require_replaceable(out, targets)
        make_folder(out)
        return cls(out, tuple(targets))


def predict_files(
    predictor: Predictor, plan: FilesPlan, *, threads: int | None = None, on_progress: Progress | None = None
) -> PredictReport:
    """Write a mask for every picture: a PNG of the picture's size that holds the data's own on-disk values.

    A picture that cannot be read is reported, and the others are predicted. Each file says in itself of which picture
    it is, see `kseg.provenance`. The files and the report do not depend on the number of threads.

    Args:
        predictor: The network; for many pictures `PredictionPlan.load` loads several copies of it.
        plan: The pictures and the files to write.
        threads: The number of CPU threads, each of which reads, predicts and writes a picture at a time; each picture
            in work takes 8 to 12 bytes a pixel. Defaults to one for each core.
        on_progress: Called with the number of finished pictures, and their total.

    Raises:
        OutputError: A file cannot be written.
    """
    written: list[PredictedFile] = []
    failed: dict[Picture, str] = {}
    predict = partial(_predict, for_threads(predictor))
    workers = min(_workers(threads), len(plan.targets))
    for done, (target, result) in enumerate(parallel_results(predict, plan.targets, workers=workers), start=1):
        try:
            written.append(result())
        except ImageError as error:
            failed[target.picture] = str(error)
        if on_progress:
            on_progress(done, len(plan.targets))
    return PredictReport(plan.out, tuple(written), failed, _renamed(written, plan.targets))


def _workers(threads: int | None) -> int:
    # One more than there are cores: the system writes to the disk while a thread waits.
    return min(threads or usable_cores(), _MOST_THREADS) + 1


def _predict(predictor: Predictor, target: Target) -> PredictedFile:
    labels = predictor.card.labels
    image = read_image(target.picture.image, page=target.picture.page)
    if target.prob is None:
        ids = predictor.predict(image)
    else:
        scores = predictor.scores(image)
        ids = predictor.ids(scores)
    if not target.mask.parent.is_dir():
        make_folder(target.mask.parent)
    origin = target.origin()
    write_marked(target.mask, png_bytes(labels.decode(ids)), origin)
    if target.overlay:
        write_marked(target.overlay, jpeg_bytes(draw_overlay(image, ids, labels)), origin)
    if target.prob:
        write_marked(target.prob, _score_bytes(target.prob, scores), origin)
    return PredictedFile(target.picture.image, target.mask, _foreground_share(ids, labels))


def _foreground_share(ids: Pixels, labels: LabelMap) -> float:
    pixels = sum(cv2.countNonZero(cv2.compare(ids, k, cv2.CMP_EQ)) for k in labels.foreground)
    return pixels / ids.size


def _score_bytes(path: Path, scores: npt.NDArray[np.float32]) -> bytes:
    if path.suffix == ".png":
        return png_bytes(np.rint(scores[..., 0].clip(0, 1) * 255).astype(np.uint8))
    data = io.BytesIO()
    np.savez_compressed(data, scores=scores.astype(np.float16))
    return data.getvalue()


def _renamed(written: Iterable[PredictedFile], targets: Iterable[Target]) -> tuple[PredictedFile, ...]:
    renamed = {t.mask for t in targets if t.stem != str(t.picture.name.with_suffix(""))}
    return tuple(entry for entry in written if entry.mask in renamed)


def _require_short_names(targets: Sequence[Target]) -> None:
    """Check that file systems allow the names of the files. Raises OutputError."""
    for path in (path for target in targets for path in target.files()):
        size = len(os.fsencode(path.name))
        if size > _LONGEST_NAME:
            raise OutputError(
                "the name of a file would be too long", where=printable(path), found=f"{size} bytes",
                expected=f"at most {_LONGEST_NAME} bytes", remedy="give the picture a shorter name",
            )  # fmt: skip


def _require_replaceable(out: Path, targets: Sequence[Target]) -> None:
    """Check that only predictions of the same pictures are overwritten. Raises OutputError."""
    foreign, others = [], []
    for target in targets:
        for path in filter(os.path.exists, target.files()):
            earlier = origin_of(path) if path.is_file() else None
            if earlier is None or earlier.command != COMMAND or not earlier.inputs:
                foreign.append(printable(path))
            elif earlier != target.origin():
                others.append(f"{printable(path)} of {display_path(earlier.inputs[0])}")
    if foreign:
        raise OutputError(
            "files would be overwritten that kseg predict did not write, or that were changed since",
            where=printable(out), found=abbreviate(foreign), remedy="choose another --out, or remove these files",
        )  # fmt: skip
    if others:
        raise OutputError(
            "the predictions of other pictures would be overwritten", where=printable(out), found=abbreviate(others),
            remedy="choose another --out, or remove these files",
        )  # fmt: skip
